"""Decoding in a process apart, with limits on time and memory that the system keeps: the last line of defence.

The process starts with the first picture that needs it, and waits for the next: a fork of this one for each would cost
several times what they take to decode. It has an interpreter of its own, no environment (where Lambda keeps
credentials) and no file of ours open. Limits are set anew for each picture; what goes beyond them is ended by the
system, whatever the decoder is at, and the next picture finds another process. Pixels come back through a pipe: Lambda
has no /dev/shm.

On macOS the limits on time hold, and a decoder that crashes takes nothing with it; the system has no limit on memory.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    Request = dict[str, Any]
    Work = Callable[[Request, bytes, BinaryIO], None]

CPU = 1.7  # seconds of all threads; 24 megapixels of HEIC need about 1.3
DURATION = 20.0  # seconds, for one that waits; the gateway's patience ends at 29
MEMORY = 200_000_000  # bytes beyond those that the process has
# So that what leaks from decoders does not add up.
MAX_ANSWERS = 1000
MAX_GROWTH = 30_000_000  # bytes

_EXHAUSTED = (signal.SIGPROF, signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)  # the last by a system out of memory
_STATES = 3  # the file descriptor on which the process says, after each answer, whether it goes on
_GOES_ON, _ENDS = b"+", b"-"
_PIPE = 1 << 20  # bytes; the most that Linux gives without privileges
_CHUNK = 1 << 16  # bytes; larger ones would be mapped anew each time
_START = "import sys; sys.path[:] = sys.argv[3:]; from serving import isolated; isolated.serve(*sys.argv[1:3])"
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # without which an interpreter may not start
# Free memory goes back to the system at once.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}


class ExhaustedError(Exception):
    """The work took more time or memory than it may."""


class CrashedError(Exception):
    """The process died of a bug in a decoder; the text says how."""


_waiting: dict[Work, Process] = {}


def run(work: Work, request: Request, data: bytes) -> bytearray:
    """What `work` writes into its third argument, given the first two; a request is JSON.

    `work` is a module's function, since the process finds it by its name. Raises `ExhaustedError`, `CrashedError`.
    """
    process = _waiting.pop(work, None) or Process(work)
    try:
        answer, goes_on = process.ask(request, data)
    except BrokenPipeError:  # it was ended while it waited
        process.end()
        process = Process(work)
        answer, goes_on = process.ask(request, data)
    except BaseException:
        process.end()
        raise
    if goes_on:
        _waiting[work] = process
    else:
        process.end()
    return answer


class Process:
    """The process, as seen from here."""

    def __init__(self, work: Work) -> None:
        requests, answers, states = os.pipe(), os.pipe(), os.pipe()
        theirs = (requests[0], answers[1], states[1])
        self._id = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", _START, work.__module__, work.__name__, *sys.path],
            _ENVIRONMENT | {name: os.environ[name] for name in _KEPT if name in os.environ},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, end, place) for end, place in zip(theirs, (0, 1, _STATES), strict=True)
            ],
        )
        for end in theirs:
            os.close(end)
        self._requests, self._answers, self._states = requests[1], answers[0], states[0]
        if sys.platform == "linux":
            from fcntl import F_SETPIPE_SZ, fcntl

            for end in (self._requests, self._answers):
                fcntl(end, F_SETPIPE_SZ, _PIPE)

    def ask(self, request: Request, data: bytes) -> tuple[bytearray, bool]:
        """The answer, and whether there may be another. Raises `BrokenPipeError` if there is no process to ask."""
        for part in (json.dumps([request, len(data)]).encode() + b"\n", data):
            left = memoryview(part)
            while left:
                left = left[os.write(self._requests, left) :]
        answer = bytearray()
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        poll.register(self._states, select.POLLIN)
        while ready := dict(poll.poll(2000 * DURATION)):
            # All of an answer is written before the state is.
            if ready.get(self._answers, 0) & select.POLLIN:
                answer += os.read(self._answers, _CHUNK)
            elif state := os.read(self._states, 1):
                return answer, state == _GOES_ON
            else:
                code = os.waitstatus_to_exitcode(os.waitpid(self._id, 0)[1])
                self._id = 0
                if -code in _EXHAUSTED:
                    raise ExhaustedError
                raise CrashedError(signal.Signals(-code).name if code < 0 else f"exit code {code}")
        raise ExhaustedError

    def end(self) -> None:
        """Whatever it is at."""
        if self._id:
            os.kill(self._id, signal.SIGKILL)
            os.waitpid(self._id, 0)
        for end in (self._requests, self._answers, self._states):
            os.close(end)


def serve(module: str, name: str) -> None:
    """What the process does, until nobody is there to ask or it has grown old."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's, for whoever asks
    os.closerange(_STATES + 1, os.sysconf("SC_OPEN_MAX"))  # of the files that were open for any child of ours
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    work = getattr(import_module(module), name)
    begun = 0
    with os.fdopen(0, "rb") as requests, os.fdopen(1, "wb") as answer:
        for number, line in enumerate(requests, 1):
            request, length = json.loads(line)
            data = requests.read(length)
            _limit(CPU, DURATION, MEMORY)
            work(request, data, answer)
            answer.flush()
            _limit(0, 0, 0)
            begun = begun or _memory("VmRSS")
            goes_on = number < MAX_ANSWERS and _memory("VmRSS") < begun + MAX_GROWTH
            os.write(_STATES, _GOES_ON if goes_on else _ENDS)
            if not goes_on:
                return


def _limit(cpu: float, duration: float, memory: int) -> None:
    """How much more of each may be taken, in seconds and bytes; 0 for no limit."""
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, duration)
    # For a decoder that would stop a timer.
    _set(resource.RLIMIT_CPU, int(time.process_time() + cpu) + 2 if cpu else resource.RLIM_INFINITY)
    if sys.platform == "linux":
        # Private memory that can be written, and not the address space, most of which threads only reserve.
        _set(resource.RLIMIT_DATA, _memory("VmData") + memory if memory else resource.RLIM_INFINITY)


def _set(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _memory(field: str) -> int:
    """Bytes, as the system counts them; Linux only, elsewhere 0."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except FileNotFoundError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field))
