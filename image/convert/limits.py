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
def limited(*, memory: int, seconds: int | None = None) -> Iterator[None]:
    """No more than `memory` bytes beside what this process has, and `seconds` of processor time, inside the block.

    Too much memory is a `MemoryError` where it is asked for, too much time a `ConvertError`. A second line of
    defence: what reads a file has bounds of its own. Linux counts memory so; elsewhere only the time is limited.
    """
    with ExitStack() as stack:
        if used := _data():
            stack.enter_context(_soft(resource.RLIMIT_DATA, used + memory))
        # Signals are the main thread's.
        if seconds is not None and threading.current_thread() is threading.main_thread():
            usage = resource.getrusage(resource.RUSAGE_SELF)
            before = signal.signal(signal.SIGXCPU, _expire)
            stack.callback(signal.signal, signal.SIGXCPU, before)
            stack.enter_context(_soft(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + seconds))
        yield


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


def _expire(*_: object) -> NoReturn:
    raise ConvertError("it takes longer to read than any model")
