"""What the function tells of a request: a line of JSON for its log, and times for the caller's browser.

CloudWatch takes numbers out of the log line as metrics, since it carries the embedded metric format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Written by hand: AWS Lambda Powertools comes to the same line, for 40 to 60 ms of every cold start and 8 MB.

Nothing that a caller sent is in either, but its size, its format and its method: no picture, no EXIF, no key.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

STARTED = perf_counter()
"""When init began, or so: the handler imports this module first of its own."""
NAMESPACE = "lambdacap"
TIMED = "_ms"  # what a field's name ends in when it holds milliseconds


class Watched:
    """stdout or stderr, and whether its last line is still open: both are one log, where a line is an entry.

    Who writes past it, by its buffer or descriptor, may have left one open.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.open = False

    def write(self, text: str) -> int:
        if text:
            self.open = not text.endswith("\n")
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        if name in ("buffer", "fileno", "detach"):
            self.open = True
        return getattr(self._stream, name)


def watch() -> None:
    """From now on know of lines that are left open."""
    sys.stdout, sys.stderr = (
        stream if isinstance(stream, Watched) else cast("TextIO", Watched(stream))
        for stream in (sys.stdout, sys.stderr)
    )


def write(**fields: object) -> None:
    """One line of JSON for the function's log, whatever a predictor has printed without ending its line."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, Watched) and stream.open]
    begin = "\n" if streams else ""
    sys.stderr.flush()
    sys.stdout.write(begin + json.dumps(fields, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
    for stream in streams:
        stream.open = False


def metrics(entry: Mapping[str, object], function: str, now: float) -> dict[str, object]:
    """The fields that make metrics of a request's log line; `now` is Unix time in seconds.

    The sums are how often; `Errors` over `Requests` is the share of 5xx. `Duration` is of the requests alone in
    which the model had a say: the page and refusals take no time that is worth an average.
    """
    status = cast("int", entry["status"])
    values = {
        "Requests": 1,
        "Refused": int(400 <= status < 500),
        "Errors": int(status >= 500),
        "ColdStarts": int(entry["cold"] is True),
    }
    timed = {"Duration": entry["ms"]} if "predict_ms" in entry else {}
    named = [{"Name": name, "Unit": "Count"} for name in values]
    named += [{"Name": name, "Unit": "Milliseconds"} for name in timed]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": named}
    about = {"Timestamp": int(1000 * now), "CloudWatchMetrics": [directive]}
    return {"_aws": about, "function": function, **values, **timed}


def server_timing(entry: Mapping[str, object]) -> str:
    """The times of a log entry as a `Server-Timing` header: https://www.w3.org/TR/server-timing/."""
    times = {name.removesuffix(TIMED): took for name, took in entry.items() if name.endswith(TIMED)}
    times["total"] = entry["ms"]
    return ", ".join(f"{name};dur={took}" for name, took in times.items())


def since(started: float) -> float:
    """Milliseconds since a reading of `perf_counter`."""
    return round(1e3 * (perf_counter() - started), 1)
