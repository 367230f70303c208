"""`lambdacap run`: one prediction, here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lambdacap.cli.console import Console, visible
from lambdacap.cli.invoke import send
from lambdacap.cli.options import project_command
from lambdacap.settings import Settings


@project_command("run")
def run(
    configure: Callable[..., Settings],
    console: Console,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files for the first input; - is what is piped in.", metavar="FILE"),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", help="An input by its name; @FILE is a file's content.", metavar="NAME=VALUE"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Where answers are written, as by `lambdacap invoke`.", metavar="FILE"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files that are there.")] = False,
) -> None:
    """Predict once, in the project's own environment on this machine: no cloud, no network."""
    from lambdacap.client import inputs as given
    from lambdacap.client.http import Client
    from lambdacap.errors import UsageError
    from lambdacap.events import Started
    from lambdacap.local.instance import Instance
    from lambdacap.operations.run import URL, Direct
    from lambdacap.operations.source import prepared

    typed, named = given.assignments(inputs or []), files or []
    if not typed and not named:
        raise UsageError(
            "nothing is to be predicted for: name a FILE, or an input by -i NAME=VALUE",
            hint="As in: lambdacap run examples/*",
        )
    given.check_files(named)
    settings = configure()
    source = prepared(settings, console.report)
    console.report(Started("run", "starting the predictor"))

    def echo(line: str) -> None:
        sys.stderr.write(f"{visible(line)}\n")

    with Instance(source, settings.memory, settings.timeout, echo) as instance:
        transport = Direct(instance)

        def client(jitter: Callable[[], float] = lambda: 1.0) -> Client:
            return Client(URL, transport=transport, jitter=jitter)

        send(console, client, (named, typed), output=output, overwrite=overwrite)
