"""A function process: runs the handler of an image folder, one event at a time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from lambdacap import children
from lambdacap.local.secret import private

HANDLER = "handler.handler"
"""The image's CMD."""


@dataclass(frozen=True)
class Specification:
    """All that makes one function process differ from another. `arn` is the function's, without a version.

    `python` is that of a project's environment; None is lambdacap's own.
    """

    arn: str
    version: str
    folder: Path
    memory: int
    timeout: int
    variables: tuple[tuple[str, str], ...]
    python: Path | None = None

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def name(self) -> str:
        return self.arn.split(":")[6]

    def replaced_by(self, other: Specification) -> bool:
        """Whether `other` is what this function version has become."""
        return (self.arn, self.version) == (other.arn, other.version) and self != other


class Stream(Protocol):
    """Where it goes what a function process prints: `send` is called after each event, with what else there is."""

    @property
    def group(self) -> str: ...
    @property
    def name(self) -> str: ...
    def send(self, *more: str) -> None: ...


class FunctionError(Exception):
    """The function failed; `payload` is what Lambda would report."""

    def __init__(self, kind: str, message: str, stack: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.payload: dict[str, Any] = {"errorType": kind, "errorMessage": message}
        if stack:
            self.payload["stackTrace"] = list(stack)


class FunctionProcess:
    """One process that runs the handler of one `Specification`; `log` is the file that it prints into."""

    def __init__(self, specification: Specification, log: Path, stream: Stream) -> None:
        self.specification = specification
        self.log = log
        self.stream = stream
        environment = children.environment(os.environ)
        del environment["PYTHONSAFEPATH"]  # a container has none: the folder is the handler's own
        environment |= {
            "AWS_DEFAULT_REGION": specification.region,
            "AWS_LAMBDA_FUNCTION_NAME": specification.name,
            "AWS_LAMBDA_FUNCTION_VERSION": specification.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(specification.memory),
            "AWS_REGION": specification.region,
            "LAMBDA_TASK_ROOT": str(specification.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "_HANDLER": HANDLER,
        }
        if specification.python:
            del environment["PYTHONDONTWRITEBYTECODE"]  # its environment is compiled as it is used
            # As in a container: what lies in the user's home is not the function's.
            environment["HOME"] = environment.get("TMPDIR", tempfile.gettempdir())
            environment["XDG_CACHE_HOME"] = f"{environment['HOME']}/.cache"
        environment |= dict(specification.variables)
        private(log.parent)
        # Nobody writes to it: it closes with this process, however that ends, and so tells the other to end.
        watched, self._lifeline = os.pipe()
        with log.open("ab") as printed:
            process = subprocess.Popen(
                [str(specification.python or sys.executable), str(Path(__file__).with_name("worker.py")), str(watched)],
                cwd=specification.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                pass_fds=[watched],
                process_group=0,
            )
        os.close(watched)
        self._process = process
        self._events, self._results = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        self._ready = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, event: object, context: dict[str, Any]) -> object:
        """The handler's result; raises `FunctionError` for its failure, crash or time-out."""
        timed_out = threading.Event()

        def expire() -> None:
            timed_out.set()
            self.kill()

        timer = threading.Timer(max(0.0, context["deadline"] - time.time()), expire)
        timer.start()
        try:
            if not self._ready:
                self._receive(timed_out)
                self._ready = True
            self._send({"event": event, "context": context}, timed_out)
            return self._receive(timed_out)["result"]
        except FunctionError as error:
            if not self.alive:
                self.stream.send(f"RequestId: {context['aws_request_id']} Error: {error.payload['errorMessage']}")
            raise
        finally:
            timer.cancel()
            self.stream.send()

    def stop(self) -> None:
        self.kill()
        self._process.wait()
        os.close(self._lifeline)
        self._results.close()
        with contextlib.suppress(BrokenPipeError):  # an unsent event died with the process
            self._events.close()

    def kill(self) -> None:
        """It and all that it has started."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _send(self, message: dict[str, object], timed_out: threading.Event) -> None:
        try:
            self._events.write(json.dumps(message).encode() + b"\n")
            self._events.flush()
        except (BrokenPipeError, ValueError) as error:
            raise self._gone(timed_out) from error

    def _receive(self, timed_out: threading.Event) -> dict[str, Any]:
        line = self._results.readline()
        if not line.endswith(b"\n"):
            raise self._gone(timed_out)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            raise FunctionError(error["errorType"], error["errorMessage"], error["stackTrace"])
        return answer

    def _gone(self, timed_out: threading.Event) -> FunctionError:
        status = self._process.wait()
        if timed_out.is_set():
            return FunctionError("Sandbox.Timedout", f"Task timed out after {self.specification.timeout}.00 seconds")
        return FunctionError("Runtime.ExitError", f"Runtime exited with status {status}")
