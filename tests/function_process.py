"""The function process of the local cloud alone, to be sent events and watched from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdacap.local import worker

IMAGE = Path(__file__).parents[1] / "image"
_TICKS = os.sysconf("SC_CLK_TCK")


class DiedError(Exception):
    """The process ended instead of answering."""


@dataclass(frozen=True)
class Outcome:
    """An answer and what it cost, children included: CPU seconds, and by how many MB the memory peaked."""

    answer: dict[str, Any]
    seconds: float
    megabytes: float


class Function:
    """A process that answers one event after the other. What it costs is read from /proc: Linux only."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._receive()

    def invoke(self, event: object) -> Outcome:
        """Raises `DiedError`."""
        before = {pid: _kilobytes(pid, "VmRSS") for pid in self._processes()}
        for pid in before:
            Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")  # the peak is from here on
        peaks: dict[int, float] = {}
        began, answered = self._seconds, threading.Event()

        def watch() -> None:
            # Of one that ends meanwhile, the last that was seen.
            while True:
                for pid in self._processes():
                    peaks[pid] = max(peaks.get(pid, 0), _kilobytes(pid, "VmHWM"))
                if answered.wait(0.005):
                    return

        context = dict.fromkeys(worker.Context.__dataclass_fields__, "")
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            answer = self._ask({"event": event, "context": context})
        finally:
            answered.set()
            watcher.join()
        for pid in self._processes():
            peaks[pid] = max(peaks.get(pid, 0), _kilobytes(pid, "VmHWM"))
        grown = sum(max(0, peak - before.get(pid, 0)) for pid, peak in peaks.items())
        return Outcome(answer["result"], self._seconds - began, grown / 1000)

    @property
    def memory(self) -> float:
        """MB that it occupies, without its children."""
        return _kilobytes(self._process.pid, "VmRSS") / 1000

    def _ask(self, message: dict[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            with suppress(BrokenPipeError):
                self._process.stdin.close()  # of what is left in its buffer
            raise DiedError(f"status {self._process.wait()}") from error
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DiedError(f"status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        assert "error" not in answer, answer
        return answer

    def _processes(self) -> list[int]:
        """It and its children."""
        found = [self._process.pid]
        with suppress(OSError):  # it has ended
            for task in Path(f"/proc/{self._process.pid}/task").iterdir():
                with suppress(OSError):  # a thread has
                    found += map(int, (task / "children").read_text("ascii").split())
        return found

    @property
    def _seconds(self) -> float:
        ticks = 0
        for pid in self._processes():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # its own, and of children that have ended
        return ticks / _TICKS


def _kilobytes(pid: int, field: str) -> float:
    """A figure of a process; 0 of one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(field)), 0)


@contextmanager
def function_process(bundle: Path = IMAGE / "demo" / "bundle", predictor: Path | None = None) -> Iterator[Function]:
    """A fresh process of the handler over a model bundle, or over the module `predictor`."""
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    environment |= {"_HANDLER": "handler.handler", "MODEL_DIR": str(bundle), "AWS_LAMBDA_FUNCTION_NAME": "captions"}
    if predictor:
        environment |= {"PREDICTOR": predictor.stem, "PYTHONPATH": str(predictor.parent)}
    watched, held = os.pipe()  # it ends, with its children, when nobody holds the other end any more
    with (
        os.fdopen(held, "wb"),
        os.fdopen(watched, "rb") as lifeline,
        subprocess.Popen(
            [sys.executable, worker.__file__, str(watched)],
            cwd=IMAGE,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[lifeline.fileno()],
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Function(process)
        finally:
            process.kill()
