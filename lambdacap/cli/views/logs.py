"""Log entries as lines for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdacap.insight.logs import Entry

_PHASES = ("decode", "encode", "beam", "predict")


def entry_line(entry: Entry) -> str:
    """`14:03:07 200 POST  9.4 ms = decode 0.7 + encode 3.1 + beam 5.0  warm  310 of 3008 MB  9a451293`, as markup."""
    clock = f"[dim]{_clock(entry.time)}[/]"
    fields = entry.fields
    if entry.text:
        words = escape(entry.text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n"))
        return f"{clock} [red]{words}[/]" if entry.bad else f"{clock} {words}"
    if not entry.request_id:
        spent = "  ".join(f"{key.removesuffix('_ms')} {fields[key]:.1f}" for key in fields if key.endswith("_ms"))
        return f"{clock} {'started':<7} [dim]{escape(str(fields.get('model') or ''))}  {spent}[/]"
    outcome = "warmed" if fields.get("event") == "warm" else fields.get("status") or fields.get("outcome") or "ran"
    if "death" in fields:
        outcome = "died"
    failure = fields.get("death") or fields.get("code")
    columns = [
        f"[{'red' if entry.bad else 'green'}]{escape(str(outcome)):<7}[/]",
        f"{escape(str(fields.get('method', ''))):<4}",
        f"{_milliseconds(fields):>10}",
        "[yellow]cold[/]" if fields.get("cold") or "init_ms" in fields else "warm",
        *_details(fields),
        *([f" [red]{escape(str(failure))}[/]"] if failure else []),
        f" [dim]{escape(entry.request_id[:8])}[/]",
    ]
    trace = str(fields.get("trace") or "")
    below = "".join(f"\n    [red]{escape(line)}[/]" for line in trace.splitlines())
    return f"{clock} {' '.join(columns)}{below}"


def _clock(milliseconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(milliseconds / 1000))
    except (ValueError, OverflowError, OSError):  # no time that a calendar has
        return str(milliseconds)


def _milliseconds(fields: Mapping[str, Any]) -> str:
    spent = fields.get("ms", fields.get("duration_ms"))
    return "" if spent is None else f"{spent:.1f} ms"


def _details(fields: Mapping[str, Any]) -> list[str]:
    phases = {name: fields[f"{name}_ms"] for name in ("init", *_PHASES) if f"{name}_ms" in fields}
    if "encode" in phases or "beam" in phases:
        phases.pop("predict", None)  # their sum
    details = ["  ".join(f"{name} {spent:.1f}" for name, spent in phases.items())] if phases else []
    if fields.get("used_mb"):
        details.append(f"{fields['used_mb']:.0f} of {fields.get('memory_mb', 0):.0f} MB")
    return [f" [dim]{detail}[/]" for detail in details]
