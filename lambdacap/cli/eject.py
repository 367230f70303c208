"""`lambdacap eject`: a Docker context of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.options import project_command
from lambdacap.settings import Settings


@project_command("eject")
def eject(
    configure: Callable[..., Settings],
    console: Console,
    folder: Annotated[Path, typer.Argument(help="Where to; a new folder outside of the project.", metavar="DIR")],
) -> None:
    """Write the project's whole Docker context into a folder, to be changed, built and deployed by itself."""
    from lambdacap.errors import ProjectError
    from lambdacap.projects.eject import write
    from lambdacap.settings.places import PREDICTOR, is_project

    settings = configure()
    if not is_project(settings.image):
        raise ProjectError(
            f"there is no {PREDICTOR} here, and so no project", hint="--image DIR names a folder that has one."
        )
    files = write(settings.image, folder)
    console.note(f"{len(files)} files; next: docker build {folder}, or lambdacap deploy --image {folder}")
    console.result(str(folder), {"folder": str(folder), "files": files})
