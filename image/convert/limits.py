"""How much memory and processor time a step may take, where the system can be asked to see to it."""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from convert.errors import ConvertError

STATM = Path("/proc/self/statm")


@contextmanager
def limited(*, memory: int, seconds: int | None = None, minutes: float | None = None) -> Iterator[None]:
    """No more than `memory` bytes beside what this process has, `seconds` of processor time, and `minutes` by the
    clock, inside the block.

    Too much memory is a `MemoryError` where it is asked for, too much time a `ConvertError`. A second line of
    defence: what reads a file has bounds of its own. Linux counts memory so; elsewhere only the time is limited.
    """
    with ExitStack() as stack:
        if used := _data():
            stack.enter_context(_soft(resource.RLIMIT_DATA, used + memory))
        if threading.current_thread() is threading.main_thread():  # whose alone signals are
            if seconds is not None:
                usage = resource.getrusage(resource.RUSAGE_SELF)
                stack.enter_context(_handled(signal.SIGXCPU))
                stack.enter_context(_soft(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + seconds))
            if minutes is not None:
                stack.enter_context(_handled(signal.SIGALRM))
                timer = signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
                stack.callback(signal.setitimer, signal.ITIMER_REAL, *timer)
        yield


@contextmanager
def _handled(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, _expire)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def _soft(kind: int, limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    stricter = min([limit, *(bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY)])
    resource.setrlimit(kind, (stricter, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def _data() -> int:
    """Bytes that RLIMIT_DATA counts (proc(5), statm: data and stack, in pages); 0 where that is not known."""
    try:
        return int(STATM.read_text("ascii").split()[5]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def _expire(number: int, _: object) -> NoReturn:
    if number == signal.SIGALRM:
        raise ConvertError("it takes longer to convert than any model", hint="What it waits for may be its disk.")
    raise ConvertError("it takes longer to read than any model")
