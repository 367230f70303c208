"""Many inputs through one API at once: so many calls at a time, one input's failure being its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdacap.client.answer import Answer
from lambdacap.client.http import USED_UP
from lambdacap.errors import CallError, InputError

Call = Callable[[Path], Answer]
"""The answer for one input. Raises `InputError` or `CallError` for this one, anything else for all."""
_REFUSED = (401, 403)
"""What the next one would be answered, too."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input: its answer, or why there is none. `captions`: it is a photo, and told as such."""

    path: Path | None = None
    answer: Answer = field(default_factory=Answer)
    error: InputError | CallError | None = None
    captions: bool = False

    def data(self) -> dict[str, Any]:
        """The outcome as one JSON object."""
        own: dict[str, Any] = {"photo" if self.captions else "input": str(self.path) if self.path else None}
        if self.error is None:
            told = self.answer.data()
            if self.captions and isinstance(self.answer.value, dict):
                told = {**self.answer.value, **({"truncated": True} if self.answer.truncated else {})}
            return own | told | own  # first in the line, whatever the answer holds
        error: dict[str, Any] = {"message": self.error.message}
        if isinstance(self.error, CallError):
            error |= {"status": self.error.status, "code": self.error.code}
        return own | {"error": error}


def run(paths: Sequence[Path], caller: Callable[[], Call], concurrency: int) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come, each with its input's place in `paths`; `caller()` is called once a thread.

    Raises what concerns all, for example `LocalCloudError`. When the iterator is left, calls that are
    under way are abandoned: the threads die with the process, so that Ctrl-C needs not wait for them.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Outcome] | BaseException] = queue.SimpleQueue()
    for place in range(len(paths)):
        todo.put(place)
    stopped = threading.Event()

    def work() -> None:
        try:
            call = caller()
            while not stopped.is_set():
                place = todo.get_nowait()
                done.put((place, _outcome(paths[place], call)))
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 - raised again, where it is waited for
            done.put(error)

    try:
        for _ in range(min(concurrency, len(paths))):
            threading.Thread(target=work, daemon=True).start()
        for _ in paths:
            outcome = done.get()
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
    finally:
        stopped.set()


def _outcome(path: Path, call: Call) -> Outcome:
    try:
        return Outcome(path, call(path))
    except (InputError, CallError) as error:
        if isinstance(error, CallError) and (error.status in _REFUSED or error.code == USED_UP):
            raise
        return Outcome(path, error=error)
