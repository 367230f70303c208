"""Answers of any model: text as it is, records as a table, anything else as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from lambdacap.cli.console import visible
from lambdacap.client.answer import compact

if TYPE_CHECKING:
    from lambdacap.client.many import Outcome

_COLUMNS = 20
"""Of a table: records with more are easier read as JSON."""


def shown(outcome: Outcome) -> str | Table:
    """The answer, as a person reads it."""
    if said := _caption(outcome):
        return visible(said, lines=False)
    if outcome.answer.saved:
        return str(outcome.answer.saved)
    value = outcome.answer.value
    if isinstance(value, str):
        return value
    columns = _columns(value)
    if not columns:
        return json.dumps(value, indent=2, ensure_ascii=False)
    table = Table(*(escape(visible(column, lines=False)) for column in columns), box=None, pad_edge=False)
    for record in value:
        table.add_row(*(_cell(record[column]) if column in record else "" for column in columns))
    return table


def line(outcome: Outcome) -> str:
    """Input and answer on one line."""
    answer = outcome.answer
    return f"{outcome.path}: {_caption(outcome) or (answer.saved if answer.saved else compact(answer.value))}"


def _caption(outcome: Outcome) -> str | None:
    value = outcome.answer.value
    said = value.get("caption") if outcome.captions and isinstance(value, dict) else None
    return said if isinstance(said, str) else None


def _columns(value: object) -> list[str]:
    """Those of a list of records; none for anything else."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) and item for item in value):
        return []
    found = list(dict.fromkeys(key for record in value for key in record))
    return found if len(found) <= _COLUMNS else []


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return escape(visible(compact(value), lines=False))
