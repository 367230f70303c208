"""One process that runs a project as Lambda would, apart from any cloud: what `run` and `serve` ask."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from lambdacap.errors import ProjectError, TooSlowError
from lambdacap.local.process import FunctionError, FunctionProcess, Specification
from lambdacap.projects import trace
from lambdacap.projects.environment import lay_out
from lambdacap.settings.places import PREDICTOR

_TRACEBACK = "Traceback (most recent call last):"
_EVENTS = ("init", "request", "warm")


@dataclass(frozen=True)
class Source:
    """`folder` is the author's, `task` what the function's holds (path → file); `python` None is lambdacap's own."""

    folder: Path
    task: Mapping[str, Path]
    python: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What the handler returned, and its line of the journal."""

    result: Any
    entry: Mapping[str, Any]


class Printed:
    """What a function process prints into `file`: the journal's entries, and the author's own lines."""

    group, name = "local", "local"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self.entries: list[dict[str, Any]] = []
        self.lines: list[str] = []

    def send(self, *_: str) -> None:
        """Look at what was printed since the last time; as the log stream of a cloud's function is told to."""
        with self._file.open("rb") as stream:
            stream.seek(self._read)
            printed = stream.read()
        self._read += len(printed)
        for line in printed.decode("utf-8", "replace").splitlines():
            entry = _entry(line)
            if entry is None:
                self.lines.append(line)
            else:
                self.entries.append(entry)

    def take(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The entries and lines since the last time."""
        taken = self.entries, self.lines
        self.entries, self.lines = [], []
        return taken


class Instance:
    """Use it as a context manager. `echo` is told what the author's code prints, line by line. Threads wait in turn."""

    def __init__(self, source: Source, memory: int, timeout: int, echo: Callable[[str], None]) -> None:
        self.source = source
        self._timeout = timeout
        self._echo = echo
        self._lock = threading.Lock()
        self._made = tempfile.TemporaryDirectory(prefix="lambdacap-", ignore_cleanup_errors=True)
        made = Path(self._made.name).resolve()
        self._task = lay_out(source.task, made / "task")
        self._printed = Printed(made / "log" / "printed")
        specification = Specification(
            arn="arn:aws:lambda:us-east-1:000000000000:function:local",
            version="$LATEST",
            folder=self._task,
            memory=memory,
            timeout=timeout,
            variables=tuple(source.variables.items()),
            python=source.python,
        )
        self._process = FunctionProcess(specification, made / "log" / "printed", self._printed)
        self._answered = False

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and all that it has started, also in the midst of an answer."""
        self._process.stop()
        self._made.cleanup()

    def kill(self) -> None:
        """End it, while another thread perhaps waits for its answer, and goes on to `stop` it."""
        self._process.kill()

    @property
    def alive(self) -> bool:
        return self._process.alive

    def ask(self, event: Mapping[str, object], seconds: float | None = None) -> Answer:
        """The handler's answer. Raises `ProjectError` when the predictor cannot be started, ends or takes too long."""
        limit = min(seconds or self._timeout, self._timeout)
        with self._lock:
            request = str(uuid4())
            context = {
                "function_name": "local",
                "function_version": "$LATEST",
                "invoked_function_arn": self._process.specification.arn,
                "memory_limit_in_mb": self._process.specification.memory,
                "aws_request_id": request,
                "log_group_name": Printed.group,
                "log_stream_name": Printed.name,
                "deadline": time.time() + limit,
            }
            try:
                result = self._process.run(event, context)
            except FunctionError as error:
                raise self._explained(error, limit) from error
            self._answered = True
            entries, lines = self._printed.take()
            self._tell(lines)
        return Answer(result, next((e for e in reversed(entries) if e.get("request_id") == request), {}))

    def mistake(self, answer: Answer) -> ProjectError | None:
        """What the author's code did wrong that led to this answer, if it did."""
        if "trace" in answer.entry:
            return trace.explained(trace.of_traceback(str(answer.entry["trace"]), self._task), self.source.folder)
        if answer.entry.get("code") == "invalid_answer":
            words = json.loads(answer.result["body"])["error"]["message"]
            return ProjectError(f"{self._file}: {words}", hint="Let predict return what JSON can say.")
        return None

    def peak(self) -> int:
        """The most memory that it has used, in MB; 0 where the system does not tell."""
        return peak(self._process.pid)

    @property
    def _file(self) -> Path:
        return self.source.folder / PREDICTOR

    def _explained(self, error: FunctionError, limit: float) -> ProjectError:
        _, lines = self._printed.take()
        kind, message = error.payload["errorType"], error.payload["errorMessage"]
        doing = "predicted" if self._answered else "started"
        if kind == "Sandbox.Timedout":
            self._tell(lines)
            return TooSlowError(
                f"{self._file} was ended since it had not {doing} within {limit:.0f} s",
                hint="A larger --timeout gives it longer; a caller waits 29 s at most." if doing == "predicted" else "",
            )
        if kind == "Runtime.ExitError":
            self._tell(lines)
            status = message.rpartition(" ")[2]
            how = f"signal {status[1:]}" if status.startswith("-") else f"status {status}"
            return ProjectError(
                f"{self._file} ended its process while it {doing} ({how})",
                hint="Something there calls exit, or a library crashed: what it printed says more.",
            )
        if _TRACEBACK in lines:
            lines = lines[: lines.index(_TRACEBACK)]
        self._tell(lines)
        mistake = trace.of_failure(kind, message, error.payload.get("stackTrace") or [], self._task)
        return trace.explained(mistake, self.source.folder)

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self._echo(line)


def peak(process: int) -> int:
    """The most memory that a process has used, in MB; 0 where the system does not tell."""
    status = Path(f"/proc/{process}/status")
    try:
        if status.is_file():
            found = [line.split()[1] for line in status.read_text("ascii", "replace").splitlines() if "VmHWM" in line]
        else:
            found = subprocess.run(
                ["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True
            ).stdout.split()
    except OSError:
        return 0
    return int(found[0]) // 1024 if found else 0


def _entry(line: str) -> dict[str, Any] | None:
    """An entry of the journal, if the line is one."""
    if not line.startswith('{"event": '):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.get("event") in _EVENTS else None
