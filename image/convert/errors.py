"""What can be wrong with a model file, and is no bug."""

from __future__ import annotations


class ConvertError(Exception):
    """The model cannot be converted; the text says why, `hint` what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RefusedError(ConvertError):
    """The file asks for something that the published format does not hold: it may carry code. None was run."""
