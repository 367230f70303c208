"""The function's log: Lambda's lines and the handler's, told as one entry a request.

The handler writes a line of JSON for every request, Lambda frames it by START, END and REPORT lines (Lambda's guide:
"Working with log output"); the request id joins them. What else stands there, prints of a model, stack traces, is
an entry of its own, as it is.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdacap.aws.clients import Aws, found, translated
from lambdacap.errors import DeploymentError

POLL = 2.0
"""Seconds between two looks for new lines."""
OVERLAP = 30_000
"""Milliseconds by which a look goes back behind the newest line: CloudWatch shows some late, and out of order."""
PATIENCE = 3
"""Looks that a request waits for its REPORT line or its JSON before it is told without."""

_FRAME = re.compile(r"(START|END|REPORT) RequestId: (\S+)")
_DEATH = re.compile(r"(?:RequestId: (\S+) Error: |\S+ (\S+) (?=Task timed out))(.+)", re.DOTALL)
_NUMBER = re.compile(r"([A-Z][A-Za-z ]+): (\d{1,18}(?:\.\d{1,18})?) (?:ms|MB)")
_STATUS = re.compile(r"Status: (\w+)")
_REPORT = {
    "Duration": "duration_ms",
    "Billed Duration": "billed_ms",
    "Init Duration": "init_ms",
    "Memory Size": "memory_mb",
    "Max Memory Used": "used_mb",
}
_METRICS = {
    "durationMs": "duration_ms",
    "billedDurationMs": "billed_ms",
    "initDurationMs": "init_ms",
    "memorySizeMB": "memory_mb",
    "maxMemoryUsedMB": "used_mb",
}
_BAD = re.compile(
    r"Traceback \(most recent call last\)|^\[?(ERROR|CRITICAL|FATAL)\b|\"errorType\"|Runtime\.\w+Error"
    r"|^INIT_REPORT .*Status: (error|timeout)"
)
_EMULATOR = re.compile(r"\d+ \w+ \d{4} [\d:,]+ \[INFO\] \(rapid\)")
"""What the runtime emulator in a local container tells of itself."""
_TRACE = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Line:
    """One log event: `time` in milliseconds since 1970, `stream` names the function instance."""

    time: int
    stream: str
    message: str


@dataclass(frozen=True)
class Entry:
    """A request (its id, and what the handler and Lambda say of it), a start, or text that belongs to none."""

    time: int
    request_id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    bad: bool = False

    @property
    def data(self) -> dict[str, object]:
        """For machines: one flat object."""
        known = {"request_id": self.request_id} if self.request_id else {"text": self.text} if self.text else {}
        return {"time": self.time / 1000, **known, **self.fields, "error": self.bad}


@dataclass
class _Request:
    time: int
    fields: dict[str, Any] = field(default_factory=dict)
    answered: bool = False
    reported: bool = False
    looks: int = 0

    def add(self, fields: Mapping[str, Any]) -> None:
        """Both sides tell of init: Lambda's holds the handler's, but the runtime emulator's is not real."""
        init = max((told["init_ms"] for told in (self.fields, fields) if "init_ms" in told), default=None)
        self.fields |= fields
        if init is not None:
            self.fields["init_ms"] = init


class Entries:
    """Puts lines together; feed it what each look brought.

    `emulated`: Lambda's runtime emulator wrote them, which calls all the memory that there is used.
    """

    def __init__(self, *, emulated: bool = False) -> None:
        self._emulated = emulated
        self._open: dict[str, _Request] = {}
        self._traced: set[str] = set()

    def feed(self, lines: Iterable[Line], *, last: bool = False) -> list[Entry]:
        """The entries that these lines complete, in order of time; with `last` the incomplete ones too."""
        told = [entry for line in lines if (entry := self._take(line))]
        for identity, request in list(self._open.items()):
            request.looks += 1
            begun = request.answered or request.reported
            if (request.answered and request.reported) or (begun and (last or request.looks > PATIENCE)):
                told.append(_entry(identity, self._open.pop(identity)))
        return sorted(told, key=lambda entry: entry.time)

    def _take(self, line: Line) -> Entry | None:
        message = line.message.rstrip("\n")
        if frame := _FRAME.match(message):
            request = self._open.setdefault(frame[2], _Request(line.time))
            if frame[1] == "REPORT":
                request.reported = True
                request.add({_REPORT[k]: float(v) for k, v in _NUMBER.findall(message) if k in _REPORT})
                if self._emulated:
                    request.fields.pop("used_mb", None)
                if status := _STATUS.search(message):
                    request.fields["outcome"] = status[1]
            return None
        if death := _DEATH.match(message):
            request = self._open.setdefault(death[1] or death[2], _Request(line.time))
            request.answered = True  # there will be no other answer
            request.fields["death"] = " ".join(death[3].split())
            return None
        content = _json(message)
        if content and str(content.get("type", "")).startswith("platform."):
            self._take_platform(line.time, content)
            return None
        if content and {"timestamp", "level", "message"} <= content.keys():
            level, words = str(content["level"]), content["message"]
            told = words if isinstance(words, str) else json.dumps(words)
            return Entry(line.time, text=f"[{level}] {told}", bad=level in ("ERROR", "CRITICAL", "FATAL"))
        if content and content.get("event") == "init":
            return Entry(line.time, fields=content)
        if content and content.get("event") in ("request", "warm") and content.get("request_id"):
            request = self._open.setdefault(str(content.pop("request_id")), _Request(line.time))
            request.answered = True
            request.add(content)
            return None
        if not message.strip() or message.startswith("INIT_START ") or _EMULATOR.match(message):
            return None
        return Entry(line.time, text=message, bad=self._is_bad(line.stream, message))

    def _take_platform(self, time: int, content: Mapping[str, Any]) -> None:
        """Lambda's own lines in its JSON format (Lambda's guide: advanced logging controls)."""
        record = content.get("record")
        if not isinstance(record, dict) or not record.get("requestId"):
            return
        if content["type"] not in ("platform.start", "platform.report"):
            return
        request = self._open.setdefault(str(record["requestId"]), _Request(time))
        if content["type"] == "platform.report":
            request.reported = True
            metrics = record.get("metrics", {})
            request.add({_METRICS[key]: float(value) for key, value in metrics.items() if key in _METRICS})
            if record.get("status", "success") != "success":
                request.answered = True  # there will be no other answer
                request.fields["outcome"] = record["status"]

    def _is_bad(self, stream: str, message: str) -> bool:
        """Whether it is an error, or a line of a stack trace that came line by line."""
        if _TRACE in message:
            if "\n" not in message and "\r" not in message:
                self._traced.add(stream)
            return True
        if stream in self._traced:
            if not message.startswith((" ", "\t")):
                self._traced.discard(stream)  # the exception itself, which ends it
            return True
        return bool(_BAD.search(message))


def read(aws: Aws, function: str, since: int, limit: int | None = None) -> list[Entry]:
    """The entries of `function` since a time in milliseconds since 1970; with `limit`, of that many lines only."""
    return Entries(emulated=aws.endpoint is not None).feed(_look(aws, function, since, limit), last=True)


def follow(
    aws: Aws,
    function: str,
    since: int,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Entry]]:
    """The entries since `since`, then the new ones after every look, for ever."""
    entries, seen, newest = Entries(emulated=aws.endpoint is not None), dict[object, int](), since
    while True:
        fresh = []
        for line, key in _events(aws, function, max(since, newest - OVERLAP)):
            if key not in seen:
                seen[key] = line.time
                fresh.append(line)
                newest = max(newest, line.time)
        seen = {key: at for key, at in seen.items() if at >= newest - OVERLAP}
        yield entries.feed(fresh)
        sleep(POLL)


def _look(aws: Aws, function: str, since: int, limit: int | None) -> Iterator[Line]:
    for line, _ in _events(aws, function, since, limit):
        yield line


def _events(aws: Aws, function: str, since: int, limit: int | None = None) -> Iterator[tuple[Line, object]]:
    """Lines by time, each with what tells it from every other. Raises `DeploymentError` without a log group."""
    group = f"/aws/lambda/{function}"
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=max(0, since), PaginationConfig={"MaxItems": limit} if limit else {}
    )
    with translated(aws):
        events = found(lambda: [event for page in pages for event in page["events"]], "ResourceNotFoundException")
    if events is None:
        raise DeploymentError(
            f"there is no log group {group} in {aws.region}", hint="`lambdacap deploy` makes it, with the function."
        )
    numbers: dict[tuple[str, int, str], int] = {}
    for event in events:
        line = Line(event["timestamp"], event["logStreamName"], event["message"])
        place = (line.stream, line.time, line.message)
        numbers[place] = numbers.get(place, 0) + 1
        # The local cloud gives its events no id.
        yield line, event.get("eventId") or (*place, numbers[place])


def _entry(identity: str, request: _Request) -> Entry:
    fields = request.fields
    status = fields.get("status")
    failed = "death" in fields or fields.get("outcome", "success") != "success"
    bad = failed or (isinstance(status, int) and status >= 400)
    return Entry(request.time, identity, fields, bad=bad)


def _json(message: str) -> dict[str, Any] | None:
    if not message.startswith("{"):
        return None
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not all(_is_sound(key, value) for key, value in content.items()):
        return None
    # The embedded metrics' own part is for CloudWatch.
    return {key: value for key, value in content.items() if key != "_aws"}


def _is_sound(key: str, value: object) -> bool:
    """Whether a field is what the handler writes: anybody's print may look like one of its lines."""
    if key == "ms" or key.endswith(("_ms", "_mb")):
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return key != "request_id" or (isinstance(value, str) and 0 < len(value) <= 100)
