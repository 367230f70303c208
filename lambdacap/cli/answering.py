"""`lambdacap invoke`, once it is known what the model takes: send, keep, print."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lambdacap.cli.attention import Drawing
from lambdacap.cli.console import Console
from lambdacap.cli.destination import Destination, tell_kept, write
from lambdacap.cli.views import answers
from lambdacap.client import many as sending
from lambdacap.client import photo
from lambdacap.client.contract import Contract
from lambdacap.client.inputs import Value, of_file
from lambdacap.client.many import Outcome
from lambdacap.client.request import request
from lambdacap.client.results import Results
from lambdacap.client.source import is_piped
from lambdacap.errors import CallError, InputError
from lambdacap.events import Counted, Finished, Started, Warned

if TYPE_CHECKING:
    from lambdacap.client.answer import Answer
    from lambdacap.client.http import Client

DEMO_MODEL = "lambdacap-demo"
"""What the demo model calls itself."""


@dataclass(frozen=True)
class Call:
    """What all requests of a run have in common: the values of `shared`, and the media type that is wanted."""

    contract: Contract
    shared: dict[str, Value]
    accept: str
    original: bool

    def prepared(self, path: Path | None) -> Callable[[Client], Answer]:
        """Reads what is to be sent; what it returns sends it. Raises `InputError`."""
        values, broken = self.shared, False
        if path is not None:
            values, broken = of_file(self.contract, path, self.shared, original=self.original)
        made = request(self.contract, values, path.name if path else "the request", self.accept)

        def send(api: Client) -> Answer:
            answer = api.send(made)
            return replace(answer, truncated=True) if broken else answer

        return send

    @property
    def words(self) -> tuple[str, str, str]:
        """What is sent, what happens to it, and what it gets."""
        return ("photos", "captioned", "caption") if self.contract.captions else ("inputs", "answered", "answer")


def one(
    console: Console, api: Client, call: Call, path: Path | None, goal: Destination, drawing: Drawing | None
) -> None:
    """Send one, and print its answer alone."""
    send = call.prepared(path)
    verb = "captioning" if call.contract.captions else "sending"
    console.report(Started("invoke", f"{verb} {path or 'the inputs'}"))
    outcome = Outcome(path, send(api), captions=call.contract.captions)
    if drawing and path:
        _draw(console, drawing, path, outcome, call)
    _tell_demo(console, outcome)
    outcome = goal.keep(0, outcome)
    _tell(console, outcome)
    if outcome.answer.file and not outcome.answer.saved and not console.json_output:
        write(console, outcome)
        return
    console.result(answers.shown(outcome), outcome.data())


def _draw(console: Console, drawing: Drawing, path: Path, outcome: Outcome, call: Call) -> None:
    value = outcome.answer.value if isinstance(outcome.answer.value, dict) else {}
    drawing.draw(console, path, photo.prepare(path, original=call.original), value)


def _tell_demo(console: Console, outcome: Outcome) -> None:
    """Say who answers, when it is the model that knows next to nothing."""
    value = outcome.answer.value
    if isinstance(value, dict) and value.get("model") == DEMO_MODEL:
        console.note("the demo model answers, which only knows painted scenes: `lambdacap demo scene.jpg` paints one")


def _tell(console: Console, outcome: Outcome) -> None:
    """What is odd about an answer, for who does not read it as JSON."""
    if outcome.answer.truncated and not console.json_output:
        console.report(Warned(f"{outcome.path} breaks off: the answer is to what there is of the picture"))
    tell_kept(console, outcome.answer)


def many(
    console: Console,
    client: Callable[[], Client],
    call: Call,
    paths: Sequence[Path],
    goal: Destination,
    drawing: Drawing | None,
    concurrency: int,
) -> None:
    """Lines in the order of the inputs; in the file in the order of the answers, so that none is lost."""
    began = time.monotonic()
    with ExitStack() as stack:
        results = stack.enter_context(Results(goal.lines)) if goal.lines else None
        todo = [
            number
            for number, path in enumerate(paths)
            if results is None or is_piped(path) or str(path) not in results.answered
        ]
        run = _Run(console, call, goal, drawing, todo)
        noun, done, _ = call.words
        if len(todo) < len(paths):
            console.note(f"{len(paths) - len(todo)} of {len(paths)} {noun} are answered in {goal.lines} already")
        # Whatever ends the run: what was answered is printed.
        stack.callback(run.print_rest)

        def caller() -> sending.Call:
            api = client()
            return lambda path: call.prepared(path)(api)

        console.report(Counted("invoke", run.title, 0, len(todo)))
        for place, outcome in sending.run([paths[number] for number in todo], caller, concurrency):
            run.take(place, replace(outcome, captions=call.contract.captions), results)
    if run.first:
        _tell_demo(console, run.first)
    if todo:
        seconds = time.monotonic() - began
        console.note(f"{len(todo) - run.failed} of {len(todo)} {noun} {done} in {seconds:.1f} s")
    run.complain()


class _Run:
    """The outcomes of a run as they come: kept at once, printed in order."""

    def __init__(
        self, console: Console, call: Call, goal: Destination, drawing: Drawing | None, todo: list[int]
    ) -> None:
        self.title = "captioning" if call.contract.captions else "sending"
        self.failed = 0
        self.first: Outcome | None = None
        self._console, self._call, self._goal, self._drawing, self._todo = console, call, goal, drawing, todo
        self._taken = self._printed = 0
        self._ready: dict[int, Outcome] = {}

    def take(self, place: int, outcome: Outcome, results: Results | None) -> None:
        """Keep it, and print what has its turn. Raises what concerns all others, too."""
        if outcome.error is None:
            outcome = self._kept(self._todo[place], outcome)
        if results:
            results.add(outcome.data())
        self.failed += outcome.error is not None
        self.first = self.first or (outcome if outcome.error is None else None)
        self._ready[place] = outcome
        while self._printed in self._ready:
            self._print(self._ready.pop(self._printed))
            self._printed += 1
        self._taken += 1
        self._console.report(Counted("invoke", self.title, self._taken, len(self._todo)))

    def print_rest(self) -> None:
        for place in sorted(self._ready):
            self._print(self._ready[place])

    def complain(self) -> None:
        """Raises `CallError` when some failed."""
        if not self.failed:
            return
        noun, _, answer = self._call.words
        raise CallError(
            f"{self.failed} of {len(self._todo)} {noun} got no {answer}",
            hint=f"The same command tries {'it' if self.failed == 1 else 'them'} again, and nothing else."
            if self._goal.lines
            else "With --output FILE the same command goes on where it was, and tries only the failed ones again.",
        )

    def _kept(self, number: int, outcome: Outcome) -> Outcome:
        try:
            kept = self._goal.keep(number, outcome)
        except InputError as error:
            return replace(outcome, error=error)
        if kept.answer.file and not kept.answer.saved and not self._console.json_output:
            raise InputError(f"the answer to {outcome.path} is a file", hint="--output FOLDER keeps them.")
        return kept

    def _print(self, outcome: Outcome) -> None:
        path, error = outcome.path, outcome.error
        if error:
            message = error.message.removeprefix(f"{path.name}: ") if path else error.message
            told = message if str(path) in message else f"{path}: {message}"
            self._console.report(Finished("photo" if outcome.captions else "input", "failed", told))
            self._console.line(None, outcome.data())
            return
        if self._drawing and path:
            _draw(self._console, self._drawing, path, outcome, self._call)
        _tell(self._console, outcome)
        self._console.line(answers.line(outcome), outcome.data())
