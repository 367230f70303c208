"""`lambdacap invoke`: one input or thousands, of whatever the model takes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.options import command
from lambdacap.settings import Settings

if TYPE_CHECKING:
    from lambdacap.cli.attention import Drawing
    from lambdacap.client.contract import Contract
    from lambdacap.client.http import Client
    from lambdacap.client.inputs import Given

NOTHING = "nothing is to be sent: name a FILE, or an input by -i NAME=VALUE"


@command
def invoke(
    configure: Callable[..., Settings],
    console: Console,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files for the first input, or folders of them; - is what is piped in.", metavar="FILE"
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "-i", "--input", help="An input by its name; @FILE is a file's content, @- what is piped in.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    beam: Annotated[
        int | None, typer.Option(help="Captioner: candidates that the search keeps.", metavar="N", min=1, max=10)
    ] = None,
    attention: Annotated[
        Path | None,
        typer.Option(help="Captioner: draw where it looked for each word; - in the terminal.", metavar="FILE"),
    ] = None,
    original: Annotated[
        bool, typer.Option("--original", help="Send photos as they are: neither shrunk nor freed of EXIF.")
    ] = False,
    concurrency: Annotated[int, typer.Option(help="Files that are sent at a time.", metavar="N", min=1, max=100)] = 4,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Where a picture or file is written that is the answer, or a folder for many; of other answers, a "
            "file of JSON lines: what is answered there is skipped.",
            metavar="FILE",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files that are there.")] = False,
) -> None:  # fmt: skip
    """Send inputs to the API and print its answers."""
    from lambdacap.client import inputs as given
    from lambdacap.client.http import Client
    from lambdacap.errors import UsageError
    from lambdacap.events import Progress
    from lambdacap.operations.access import pass_for
    from lambdacap.operations.status import locate

    typed = given.assignments(inputs or [])
    named = files or []
    if not typed and not named:
        raise UsageError(NOTHING, hint="`lambdacap invoke --help` says more.")
    given.check_files(named)
    settings = configure()
    deployment = locate(settings)
    auth = pass_for(settings, deployment)

    def waiting(reason: str, seconds: float) -> None:
        console.report(Progress("invoke", f"{reason}, again in {seconds:.0f} s"))

    def client(jitter: Callable[[], float] = lambda: 1.0) -> Client:
        return Client(deployment.url or "", auth=auth, waiting=waiting, jitter=jitter)

    send(
        console,
        client,
        (named, typed),
        captioner=(beam, attention),
        original=original,
        concurrency=concurrency,
        output=output,
        overwrite=overwrite,
    )


def send(
    console: Console,
    client: Callable[..., Client],
    inputs: tuple[list[Path], list[Given]],
    *,
    captioner: tuple[int | None, Path | None] = (None, None),
    original: bool = False,
    concurrency: int = 1,
    output: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Ask what the model takes, send it files and values, and show or keep its answers.

    `client(jitter)` makes a client; `captioner` are the values of its two options.
    """
    from lambdacap.cli.answering import Call, many, one
    from lambdacap.cli.destination import settle
    from lambdacap.client import inputs as given
    from lambdacap.events import Started

    named, typed = inputs
    beam, attention = captioner
    with client() as api:
        console.report(Started("invoke", "asking what the model takes"))
        contract = api.describe()
        typed += of_captioner(contract, beam, attention)
        paths = given.collect(named, contract)
        shared = given.given(contract, typed, file=bool(paths), original=original)
        drawing = _drawing(attention, paths)
        goal = settle(contract, output, paths, overwrite=overwrite, as_json=console.json_output)
        call = Call(contract, shared, goal.accept, original=original)
        if paths == named and len(paths) < 2 and not goal.lines:
            one(console, api, call, paths[0] if paths else None, goal, drawing)
            return
    # Callers that were refused together should not come back together.
    callers = lambda: client(lambda: random.uniform(0.5, 1.0))  # noqa: E731, S311
    many(console, callers, call, paths, goal, drawing, concurrency)


def of_captioner(contract: Contract, beam: int | None, attention: Path | None) -> list[Given]:
    """What the captioner's own options give. Raises `InputError` for a model that has no such inputs."""
    from lambdacap.client.check import taken
    from lambdacap.errors import InputError

    options: list[tuple[str, Any, str]] = [
        ("beam", beam, str(beam)),
        ("attention", attention, "1"),
    ]
    found = []
    for name, value, text in options:
        if value is None:
            continue
        if not contract.free and name not in contract.parameters:
            raise InputError(f"--{name} is for captioners: this model has no input {name}", hint=taken(contract))
        found.append((name, text))
    return found


def _drawing(attention: Path | None, paths: list[Path]) -> Drawing | None:
    if attention is None:
        return None
    from lambdacap.cli.attention import Drawing

    return Drawing(attention, paths)
