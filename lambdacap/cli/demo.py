"""`lambdacap demo`: a scene for who has no picture that the demo model knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.options import bare_command
from lambdacap.settings import Settings


@bare_command
def demo(
    configure: Callable[..., Settings],
    console: Console,
    file: Annotated[Path, typer.Argument(help="The picture to write, .jpg, .png or .webp.", metavar="FILE")],
    seed: Annotated[int | None, typer.Option(help="The same number, the same scene.", metavar="N", min=0)] = None,
) -> None:
    """Paint a scene that the demo model knows, and say what is on it."""
    from lambdacap.operations.painting import paint

    configure()
    caption = paint(file, seed=seed)
    console.result(caption, {"file": str(file), "caption": caption})
