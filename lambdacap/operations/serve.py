"""A project's API and page on this machine, anew with every saved change.

The handler answers as on Lambda, in a process of the project's environment. What cannot be started is told, in the
terminal and in every answer, until a change mends it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lambdacap.aws.hints import install_extra
from lambdacap.errors import LambdacapError, LocalCloudError, TooSlowError
from lambdacap.events import Finished, Report, Started, Warned
from lambdacap.images.project_context import NEEDLESS
from lambdacap.local import event as gateway
from lambdacap.local.event import Response
from lambdacap.local.front import Front, listen
from lambdacap.local.instance import Instance
from lambdacap.operations.source import prepared
from lambdacap.projects.installer import KIND
from lambdacap.settings import Settings
from lambdacap.settings.places import PREDICTOR, is_project

GATEWAY = 29
"""Seconds that API Gateway waits for an answer."""
INIT = 10.0
"""Seconds that Lambda gives a function to start, before it begins anew within its timeout."""
_QUIET = 30
"""Milliseconds without another change after which what was saved is taken up."""
_LITTER = (*NEEDLESS, ".*", "*~", "*.swp", "*.tmp", "4913")
"""Names whose change means nothing: what editors and tools write beside a file."""
_OPENAPI = gateway.event("GET", "/openapi.json", "", [], b"")


@dataclass(frozen=True)
class Answered:
    """A request and what it came to; `memory` is the most that the process has used so far, in MB."""

    method: str
    path: str
    status: int
    milliseconds: float
    memory: int


@dataclass(frozen=True)
class Tell:
    """Who is told what: events of the work, mistakes, answers, and what the author's code prints."""

    report: Report
    broken: Callable[[LambdacapError], None]
    answered: Callable[[Answered], None]
    printed: Callable[[str], None]


class Live:
    """The project as it was last saved: an instance of it, or why there is none."""

    def __init__(self, settings: Settings, tell: Tell) -> None:
        self._settings = settings
        self._tell = tell
        self._what = str(settings.image / PREDICTOR if is_project(settings.image) else settings.image)
        self._instance: Instance | None = None
        self._error: LambdacapError | None = None
        self._lock = threading.RLock()
        self._starting: Instance | None = None
        self._changes = 0
        self._stopped = False
        self._warned = False

    def renew(self) -> None:
        """Start what the folder holds now; requests wait for it."""
        with self._lock:
            if self._stopped:
                return
            began, changes = time.monotonic(), self._changes
            self._tell.report(Started(KIND, f"starting {self._what}"))
            self._end()
            try:
                source = prepared(self._settings, self._tell.report)
                if self._stopped:
                    return
                self._instance = Instance(source, self._settings.memory, self._settings.timeout, self._tell.printed)
                self._starting = self._instance
                self._error = self._instance.mistake(self._instance.ask(_OPENAPI))
            except LambdacapError as error:
                self._error = error
            finally:
                self._starting = None
            if self._error:
                self._end()
                if not self._stopped and changes == self._changes:
                    self._tell.broken(self._error)
                return
            self._warned = False
            took = time.monotonic() - began
            self._tell.report(Finished(KIND, "ready", self._what))
            if took > INIT:
                self._tell.report(Warned(f"it took {took:.0f} s to start; Lambda gives {INIT:.0f} s, then begins anew"))

    def abandon(self) -> None:
        """End a start that is under way: what it starts is not what was saved last."""
        self._changes += 1
        if starting := self._starting:
            starting.kill()

    def answer(self, event: Mapping[str, object]) -> Response:
        """What the API answers, or the sentence that says why it cannot."""
        with self._lock:  # one at a time, and none while a change is taken up
            began = time.monotonic()
            said = self._answer(event)
            memory = self._instance.peak() if self._instance and self._instance.alive else 0
        took = 1e3 * (time.monotonic() - began)
        self._tell.answered(Answered(str(event["httpMethod"]), str(event["path"]), said.status, took, memory))
        if memory > self._settings.memory and not self._warned:
            self._warned = True
            words = (
                f"the process has used {memory} MB: Lambda would have ended it at {self._settings.memory} (--memory)"
            )
            self._tell.report(Warned(words))
        return said

    def unwatched(self, error: Exception) -> None:
        """Tell that changes are not noticed."""
        self._tell.report(Warned(f"changes are not noticed any more, so start anew after them: {error}"))

    def stop(self) -> None:
        """End what runs, also in the midst of an answer."""
        self._stopped = True
        if instance := self._instance:
            instance.kill()
        with self._lock:
            self._end()

    def _answer(self, event: Mapping[str, object]) -> Response:
        if self._instance is None and self._error is None:
            self.renew()  # it has ended with the last answer
        if self._instance is None:
            return _sentence(500, event, self._error)
        try:
            answer = self._instance.ask(event, GATEWAY)
            mistake = self._instance.mistake(answer)
            said = gateway.response(answer.result)
        except LambdacapError as error:
            self._end()
            if not self._stopped:
                self._tell.broken(error)
            return _sentence(504 if isinstance(error, TooSlowError) else 500, event, error)
        if mistake:
            self._tell.broken(mistake)
            return _sentence(500, event, mistake)
        return said

    def _end(self) -> None:
        if self._instance:
            self._instance.stop()
            self._instance = None


def serve(settings: Settings, listener: socket.socket, tell: Tell) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises `LocalCloudError` where what it needs is not installed."""
    lacking = [name for name in ("hypercorn", "watchfiles") if importlib.util.find_spec(name) is None]
    if lacking:
        raise LocalCloudError(f"serve needs what is not installed: {', '.join(lacking)}", hint=install_extra("local"))
    with suppress(LambdacapError):  # told when it is started
        prepared(settings, tell.report)  # an installation, which Ctrl-C ends here
    asyncio.run(_serve(settings, listener, tell))


async def _serve(settings: Settings, listener: socket.socket, tell: Tell) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    live = Live(settings, tell)
    front = Front(live.answer, listener.getsockname()[1])
    following = asyncio.create_task(_follow(settings.image, live, stopped))
    try:
        await asyncio.gather(listen(front, listener, stopped), _end_with(live, stopped), following)
    finally:
        stopped.set()
        await asyncio.to_thread(live.stop)


async def _end_with(live: Live, stopped: asyncio.Event) -> None:
    """End an answer that is under way, for which the server would wait."""
    await stopped.wait()
    await asyncio.to_thread(live.stop)


async def _follow(folder: Path, live: Live, stopped: asyncio.Event) -> None:
    """Take up what the folder holds, and every saved change of it."""
    from watchfiles import awatch

    changes = awatch(
        folder, watch_filter=lambda _, path: matters(folder, path), step=_QUIET, debounce=400, stop_event=stopped
    )
    renewing = asyncio.create_task(asyncio.to_thread(live.renew))
    try:
        async for _ in changes:
            live.abandon()
            await renewing
            renewing = asyncio.create_task(asyncio.to_thread(live.renew))
    except (OSError, RuntimeError) as error:  # the system's own limit of what is watched
        live.unwatched(error)
    await renewing


def matters(folder: Path, path: str) -> bool:
    """Whether a changed file may be one that predictions need."""
    place = Path(path)
    parts = place.relative_to(folder).parts if place.is_relative_to(folder) else place.parts[-1:]
    return not any(fnmatchcase(part, name) for part in parts for name in _LITTER)


def _sentence(status: int, event: Mapping[str, object], error: LambdacapError | None) -> Response:
    """A mistake as an answer: for people who look at the page, or as the API's errors are."""
    message = error.message if error else "it is about to end"
    headers = event.get("headers")
    accept = str(headers.get("accept", "")) if isinstance(headers, Mapping) else ""
    if event["httpMethod"] == "GET" and "text/html" in accept:
        words = f"{message}\n\n{error.hint if error else ''}\n\nThe next saved change is taken up at once.\n"
        return Response(status, {"Content-Type": "text/plain; charset=utf-8"}, words.encode())
    return gateway.refused(status, "too_slow" if status == 504 else "predictor_error", message)
