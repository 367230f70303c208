"""JSON whose numbers are whole where they can be: by JSON Schema, 1.0 is an integer, and by msgspec it is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

Checked = TypeVar("Checked")
_EXACT = 2**53
"""Below it, each whole number is a float."""


def as_json(body: bytes, check: Callable[[Any], Checked]) -> tuple[Any, Checked]:
    """What `body` says, and what `check` makes of it.

    Where that wants a whole number, 1.0 is one, as JSON Schema has it. Raises what msgspec and `check` raise.
    """
    found = msgspec.json.decode(body)
    try:
        return found, check(found)
    except msgspec.ValidationError as error:
        if not may_be_whole(error):
            raise
        found = msgspec.json.Decoder(float_hook=_whole).decode(body)
        return found, check(found)


def _whole(number: str) -> int | float:
    found = float(number)
    return int(found) if found.is_integer() and abs(found) < _EXACT else found


def may_be_whole(error: msgspec.ValidationError) -> bool:
    """Whether a whole number could help."""
    return "float" in str(error)
