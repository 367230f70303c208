"""`lambdacap init`: a new project."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.options import bare_command
from lambdacap.projects.template import TEMPLATES
from lambdacap.settings import Settings

Template = StrEnum("Template", list(TEMPLATES))  # type: ignore[misc] # mypy wants to read the names
DEFAULT = "picture"


@bare_command
def init(
    configure: Callable[..., Settings],  # noqa: ARG001 - a new folder has no settings
    console: Console,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; made if need be. [default: asked, else here]", metavar="DIR")
    ] = None,
    template: Annotated[
        Template | None,
        typer.Option(
            help=f"What to begin with: {', '.join(TEMPLATES)}. [default: asked, else {DEFAULT}]", metavar="TEMPLATE"
        ),
    ] = None,
) -> None:
    """Begin a project: a small model that runs at once, an example and a test."""
    from lambdacap.projects.template import write

    asks = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)) and not console.json_output
    if folder is None:
        folder = Path(typer.prompt("Folder", default="my-model", err=True) if asks else ".")
    if template is None:
        template = _asked(console) if asks else Template(DEFAULT)
    files = write(template.value, folder)
    for path in files:
        console.note(f"+ {folder / path}")
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    console.note(f"next: {there}lambdacap serve; then lambdacap deploy --local, or --region REGION")
    console.result(str(folder), {"folder": str(folder), "template": template.value, "files": [*map(str, files)]})


def _asked(console: Console) -> Template:
    for name, words in TEMPLATES.items():
        console.note(f"  {name:<10} {words}")
    while True:
        said = typer.prompt("Template", default=DEFAULT, err=True).strip()
        fits = [name for name in TEMPLATES if name.startswith(said)]
        if said in TEMPLATES or len(fits) == 1:
            return Template(said if said in TEMPLATES else fits[0])
        console.note(f"there is no template {said!r}; the first letters of a name do, too")
