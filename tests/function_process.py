"""The function process of the local cloud alone, to be sent events and watched from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    """An answer and what it cost: CPU seconds of all threads, and by how many MB the memory peaked."""

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
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", "ascii")  # the peak is from here on
        memory, began = self.memory, self._seconds
        context = dict.fromkeys(worker.Context.__dataclass_fields__, "")
        answer = self._ask({"event": event, "context": context})
        return Outcome(answer["result"], self._seconds - began, self._status("VmHWM") - memory)

    @property
    def memory(self) -> float:
        """MB that it occupies."""
        return self._status("VmRSS")

    def _ask(self, message: dict[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
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

    def _status(self, field: str) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) / 1000

    @property
    def _seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def function_process(bundle: Path = IMAGE / "demo" / "bundle") -> Iterator[Function]:
    """A fresh process of the handler over a model bundle."""
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    environment |= {"_HANDLER": "handler.handler", "MODEL_DIR": str(bundle), "AWS_LAMBDA_FUNCTION_NAME": "captions"}
    with subprocess.Popen(
        [sys.executable, worker.__file__],
        cwd=IMAGE,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield Function(process)
        finally:
            process.kill()
