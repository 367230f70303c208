"""The doctor's findings: a line each, with what to do below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table

if TYPE_CHECKING:
    from lambdacap.insight.doctor.finding import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def table(findings: Sequence[Finding]) -> Table:
    shown = Table("check", "", Column("what", overflow="fold"), box=None, pad_edge=False)
    for finding in findings:
        colour = _COLOURS[finding.level]
        shown.add_row(finding.check, f"[{colour}]{finding.level}[/]", escape(finding.detail))
        if finding.hint:
            shown.add_row("", "", f"[dim]{escape(finding.hint)}[/]")
    return shown


def data(findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "healthy": all(finding.level != "fail" for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }
