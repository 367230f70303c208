"""How a setting is declared: whatever is known of it stands beside its name and its type, in `declared`.

The options of the command line, `LAMBDACAP_*`, the keys of `lambdacap.toml`, what a record keeps, `lambdacap config`
and the table of the documentation follow from that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

WHICH, IMAGE, FUNCTION, CALLERS, ALARMS = ("Which deployment", "Image", "Function", "Who may call", "Who is told")
"""Headings under which `--help` shows the options."""


@dataclass(frozen=True)
class Check:
    """What a value must be, in words: `problem` is about the value `{value}`, `bounds` is short, for a table."""

    holds: Callable[[Any], bool]
    problem: str
    hint: str
    bounds: str = ""


@dataclass(frozen=True)
class Declaration:
    """One setting.

    `help` is what `--help` says, `more` what the documentation says besides, `default` what holds when nothing is set,
    where the value itself does not say so. `panel` is the heading under which its options stand: `flags`, or one of
    its name; without a panel it has none. Commands that work on a deployment take the settings under WHICH, `deploy`
    and what speaks of a deploy take all, a single step those that name it in `steps`. `kept`: a record holds it, and
    the commands that follow go by that. `told`: a run begins by saying so when `lambdacap.toml` sets it, since a
    folder's file is not always its reader's own, and this says on whose account, with what and for whom.
    """

    help: str
    more: str = ""
    panel: str = ""
    metavar: str | None = None
    flags: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    kept: bool = False
    told: bool = False
    default: str = ""
    check: Check | None = None


def between(low: int, high: int, unit: str, service: str = "Lambda") -> Check:
    """A whole number that `service` takes. A table keeps silent of bounds that nobody comes near."""
    return Check(
        lambda value: low <= value <= high,
        "{name} = {value} is out of range",
        f"{service} takes {low} to {high} {unit}.",
        f"{low} to {high}" if high < 1_000_000 else "",
    )


def among(values: Collection[Any], problem: str, hint: str) -> Check:
    """One of a few."""
    return Check(lambda value: value in values, problem, hint)


def matching(pattern: str, problem: str, hint: str) -> Check:
    """Text of a form."""
    return Check(lambda value: re.fullmatch(pattern, value) is not None, problem, hint)
