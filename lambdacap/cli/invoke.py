"""`lambdacap invoke`: one photo or thousands."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambdacap.cli.console import Console, visible
from lambdacap.cli.options import command
from lambdacap.events import Counted, Finished, Progress, Started
from lambdacap.settings import Settings

if TYPE_CHECKING:
    from lambdacap.client.http import Client
    from lambdacap.client.many import Caption, Outcome

DEMO_MODEL = "lambdacap-demo"
"""What the demo model calls itself."""
Draw = Callable[[Path, dict[str, Any]], None]
"""Draws where the model looked, for one photo and its answer, if that was asked for."""


@command
def invoke(
    configure: Callable[..., Settings],
    console: Console,
    photos: Annotated[
        list[Path],
        typer.Argument(help="Pictures to caption, and folders of them; - is what is piped in.", metavar="PHOTO"),
    ],
    beam: Annotated[int, typer.Option(help="Candidates that the search keeps.", metavar="N", min=1, max=10)] = 3,
    attention: Annotated[
        Path | None,
        typer.Option(help="Draw where the model looked for each word; - draws in the terminal.", metavar="FILE"),
    ] = None,
    original: Annotated[
        bool, typer.Option("--original", help="Send files as they are: neither shrunk nor freed of EXIF.")
    ] = False,
    concurrency: Annotated[int, typer.Option(help="Photos that are sent at a time.", metavar="N", min=1, max=100)] = 4,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Keep answers in this file, too; photos answered there are skipped.", metavar="JSONL"
        ),
    ] = None,
) -> None:
    """Send photos to the API and print their captions."""
    from lambdacap.cli.attention import Drawing
    from lambdacap.client import photo
    from lambdacap.client.http import Client
    from lambdacap.client.many import Outcome
    from lambdacap.operations.access import pass_for
    from lambdacap.operations.status import locate

    settings = configure()
    files = photo.collect(photos)
    # A bad photo is told before anything is asked; among many it is only one of them.
    only = photo.prepare(files[0], original=original) if files == photos and len(files) == 1 and not output else None
    drawing = Drawing(attention, files) if attention else None
    deployment = locate(settings)
    auth = pass_for(settings, deployment)

    def waiting(reason: str, seconds: float) -> None:
        console.report(Progress("invoke", f"{reason}, again in {seconds:.0f} s"))

    def client() -> Client:
        # Callers that were refused together should not come back together.
        jitter = (lambda: 1.0) if only else lambda: random.uniform(0.5, 1.0)  # noqa: S311
        return Client(deployment.url or "", auth=auth, waiting=waiting, jitter=jitter)

    options = {"beam": str(beam)} | ({"attention": "1"} if drawing else {})

    def draw(path: Path, answer: dict[str, Any]) -> None:
        if drawing:
            drawing.draw(console, path, photo.prepare(path, original=original), answer)

    if only:
        console.report(Started("invoke", f"captioning {files[0]}"))
        with client() as api:
            answer = api.caption(only, options)
        draw(files[0], answer)
        _tell_demo(console, answer)
        outcome = Outcome(files[0], answer)
        console.result(visible(answer["caption"], lines=False), outcome.data())
        return

    def caption() -> Caption:
        api = client()
        return lambda path: api.caption(photo.prepare(path, original=original), options)

    _many(console, files, caption, draw, concurrency, output)


def _tell_demo(console: Console, answer: Mapping[str, Any]) -> None:
    """Say who answers, when it is the model that knows next to nothing."""
    if answer.get("model") == DEMO_MODEL:
        console.note("the demo model answers, which only knows painted scenes: `lambdacap demo scene.jpg` paints one")


def _many(
    console: Console,
    files: list[Path],
    caption: Callable[[], Caption],
    draw: Draw,
    concurrency: int,
    output: Path | None,
) -> None:
    """Lines in the order of the photos; in the file in the order of the answers, so that none is lost."""
    from lambdacap.client import many
    from lambdacap.client.results import Results
    from lambdacap.client.source import is_piped
    from lambdacap.errors import CallError

    began, failed, printed = time.monotonic(), 0, 0
    first: dict[str, Any] | None = None
    ready: dict[int, Outcome] = {}
    with ExitStack() as stack:
        results = stack.enter_context(Results(output)) if output else None
        todo = [path for path in files if results is None or is_piped(path) or str(path) not in results.answered]
        if len(todo) < len(files):
            console.note(f"{len(files) - len(todo)} of {len(files)} photos are answered in {output} already")
        # Whatever ends the run: what was answered is printed.
        stack.callback(_print_all, console, ready, draw)
        console.report(Counted("invoke", "captioning", 0, len(todo)))
        for done, (place, outcome) in enumerate(many.run(todo, caption, concurrency), 1):
            if results:
                results.add(outcome.data())
            failed += outcome.error is not None
            first = first or outcome.answer or None
            ready[place] = outcome
            while printed in ready:
                _print(console, ready.pop(printed), draw)
                printed += 1
            console.report(Counted("invoke", "captioning", done, len(todo)))
    if first is not None:
        _tell_demo(console, first)
    seconds = time.monotonic() - began
    if todo:
        console.note(f"{len(todo) - failed} of {len(todo)} photos captioned in {seconds:.1f} s")
    if failed:
        raise CallError(
            f"{failed} of {len(todo)} photos got no caption",
            hint=f"The same command tries {'it' if failed == 1 else 'them'} again, and nothing else."
            if output
            else "With --output FILE the same command goes on where it was, and tries only the failed ones again.",
        )


def _print_all(console: Console, outcomes: dict[int, Outcome], draw: Draw) -> None:
    for place in sorted(outcomes):
        _print(console, outcomes[place], draw)


def _print(console: Console, outcome: Outcome, draw: Draw) -> None:
    from lambdacap.errors import PhotoError

    path, error = outcome.photo, outcome.error
    if error:
        message = error.message.removeprefix(f"{path.name}: ")
        console.report(Finished("photo", "failed", message if isinstance(error, PhotoError) else f"{path}: {message}"))
        console.line(None, outcome.data())
    else:
        draw(path, outcome.answer)
        console.line(f"{path}: {outcome.answer['caption']}", outcome.data())
