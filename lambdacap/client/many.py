"""Many photos through one API at once: so many calls at a time, one photo's failure being its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdacap.client.http import USED_UP
from lambdacap.errors import CallError, PhotoError

Caption = Callable[[Path], dict[str, Any]]
"""Captions one photo. Raises `PhotoError` or `CallError` for this photo, anything else for all."""
_REFUSED = (401, 403)
"""What the next photo would be answered, too."""


@dataclass(frozen=True)
class Outcome:
    """What became of one photo: its answer, or why there is none."""

    photo: Path
    answer: dict[str, Any] = field(default_factory=dict)
    error: PhotoError | CallError | None = None

    def data(self) -> dict[str, Any]:
        """The outcome as one JSON object."""
        if self.error is None:
            own = {"photo": str(self.photo)}
            return own | self.answer | own  # first in the line, whatever the answer holds
        told: dict[str, Any] = {"message": self.error.message}
        if isinstance(self.error, CallError):
            told |= {"status": self.error.status, "code": self.error.code}
        return {"photo": str(self.photo), "error": told}


def run(photos: Sequence[Path], caption: Callable[[], Caption], concurrency: int) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come, each with its photo's place in `photos`; `caption()` is called once a thread.

    Raises what concerns all photos, for example `LocalCloudError`. When the iterator is left, calls that are
    under way are abandoned: the threads die with the process, so that Ctrl-C needs not wait for them.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Outcome] | BaseException] = queue.SimpleQueue()
    for place in range(len(photos)):
        todo.put(place)
    stopped = threading.Event()

    def work() -> None:
        try:
            call = caption()
            while not stopped.is_set():
                place = todo.get_nowait()
                done.put((place, _outcome(photos[place], call)))
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 - raised again, where it is waited for
            done.put(error)

    try:
        for _ in range(min(concurrency, len(photos))):
            threading.Thread(target=work, daemon=True).start()
        for _ in photos:
            outcome = done.get()
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
    finally:
        stopped.set()


def _outcome(photo: Path, call: Caption) -> Outcome:
    try:
        return Outcome(photo, call(photo))
    except (PhotoError, CallError) as error:
        if isinstance(error, CallError) and (error.status in _REFUSED or error.code == USED_UP):
            raise
        return Outcome(photo, error=error)
