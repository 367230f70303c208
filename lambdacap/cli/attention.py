"""`lambdacap invoke --attention`: a figure for each photo, into a file or onto the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdacap.cli.console import Console
from lambdacap.client import attention
from lambdacap.errors import CallError, PhotoError
from lambdacap.events import Warned

if TYPE_CHECKING:
    from lambdacap.client.photo import Photo

_CELLS = 20
"""Columns of a terminal for one panel: fewer show too little in block characters."""


class Drawing:
    """Where the figures of a run go; checked before the first photo is sent."""

    def __init__(self, file: Path, photos: Sequence[Path]) -> None:
        self._many = len(photos) > 1
        self._files = (
            None if file == attention.TERMINAL else dict(zip(photos, attention.targets(file, photos), strict=True))
        )

    def draw(self, console: Console, path: Path, photo: Photo, answer: Mapping[str, Any]) -> None:
        """Draw what `answer` says of `photo`; with --json, a terminal gets the grids as numbers only."""
        try:
            panels = attention.panels(photo, answer)
        except (PhotoError, CallError) as error:
            if not self._many:
                raise
            console.report(Warned(error.message))  # one of many
            return
        if self._files:
            attention.save(attention.figure(panels), self._files[path])
            console.note(f"{self._files[path]} shows where the model looked")
        elif not console.json_output:
            for titles, strip in attention.strips(panels, max(1, console.width // _CELLS)):
                console.picture(titles, strip)
