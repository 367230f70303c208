"""MiniStack writes its state when it ends in order; here also after changes, so that a kill takes little."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from lambdacap.local.request import Request

QUIET = 0.3
"""Seconds after a change until it is written, and others with it."""
_READING = re.compile(r"(Describe|List|Get|BatchGet|BatchCheck|Filter|Search|Query|Scan|PutLogEvents|CreateLogStream)")
"""What changes nothing that somebody deployed, by the start of its name; log lines are many, and may be lost."""
_INVOCATION = re.compile(r"/2015-03-31/functions/[^/]+/invocations|/_ministack/.*")


class Checkpoint:
    """Calls `save` soon after requests that may have changed something."""

    def __init__(self, save: Callable[[], None]) -> None:
        self._save = save
        self._waiting: asyncio.TimerHandle | None = None

    def __call__(self, request: Request) -> None:
        """`request` has been answered."""
        action = request.header("x-amz-target").rpartition(".")[2]
        if (
            request.method in ("GET", "HEAD", "OPTIONS")
            or _READING.match(action)
            or _INVOCATION.fullmatch(request.path)
        ):
            return
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().call_later(QUIET, self._write)

    def _write(self) -> None:
        self._waiting = None
        self._save()
