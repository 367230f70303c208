"""What can be wrong with a model file, and is no bug."""

from __future__ import annotations

import reprlib

_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 2
_BRIEF.maxstring = _BRIEF.maxother = 80


class ConvertError(Exception):
    """The model cannot be converted; the text says why, `hint` what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RefusedError(ConvertError):
    """The file asks for something that the published format does not hold: it may carry code. None was run."""


def shown(value: object, length: int = 120) -> str:
    """A value of the file for an error's text: short and on one line, whatever it is."""
    if not isinstance(value, str):
        return _BRIEF.repr(value)
    brief = value if len(value) <= length else f"{value[:length]}…"
    return brief if brief.isprintable() else ascii(brief)
