"""Runs the events of functions that have no container: MiniStack forwards each here, a process answers.

A process runs one event at a time, and there are as many processes as events at a time: MiniStack answers 429 to
what goes beyond `cloud.CONCURRENCY`. They are killed at the function's timeout, started anew after a crash or when the
function's configuration has changed. The configuration is asked of the local Lambda for every event, so that an update
holds from the next event on, as on AWS.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import boto3

from lambdacap.aws.clients import LOCAL_KEY
from lambdacap.local.images import Images
from lambdacap.local.log_stream import LogStream
from lambdacap.local.process import FunctionError, FunctionProcess, Specification

IDLE = 300.0
"""Seconds without an event after which a process may end, as Lambda's do."""


class Functions:
    """The function processes of one local cloud."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self._home = home
        self._endpoint = endpoint
        self._idle: list[tuple[FunctionProcess, float]] = []  # and since when, the last one last
        self._busy: set[FunctionProcess] = set()
        self._clients: dict[tuple[str, str], Any] = {}
        self._guard, self._making = threading.Lock(), threading.Lock()

    def invoke(self, arn: str, version: str, request: str, deadline: float, event: object) -> object:
        """Run `event` through the function; `deadline` is Unix time in seconds.

        `arn` is the one that was called, which may end in a version or an alias.
        """
        specification = self._specification(":".join(arn.split(":")[:7]), version)
        process = self._take(specification)
        context = {
            "function_name": specification.name,
            "function_version": specification.version,
            "invoked_function_arn": arn,
            "memory_limit_in_mb": specification.memory,
            "aws_request_id": request,
            "log_group_name": process.stream.group,
            "log_stream_name": process.stream.name,
            "deadline": deadline,
        }
        try:
            return process.run(event, context)
        finally:
            self._give(process)

    def stop(self) -> None:
        """End every process, those too that are at work."""
        with self._guard:
            processes = [*self._busy, *(process for process, _ in self._idle)]
            self._idle.clear()
        for process in processes:
            process.stop()

    def _take(self, wanted: Specification) -> FunctionProcess:
        """A process for one event: the one that waited least, so that those too many grow old; or a new one."""
        with self._guard:
            self._end(lambda process: not process.alive or process.specification.replaced_by(wanted))
            for place in reversed(range(len(self._idle))):
                if self._idle[place][0].specification == wanted:
                    process, _ = self._idle.pop(place)
                    break
            else:
                process = self._start(wanted)
            self._busy.add(process)
            return process

    def _give(self, process: FunctionProcess) -> None:
        now = time.monotonic()
        with self._guard:
            self._busy.discard(process)
            self._idle.append((process, now))
            old = {idle for idle, since in self._idle if now - since > IDLE}
            self._end(lambda idle: idle in old or not idle.alive)

    def _end(self, done_with: Callable[[FunctionProcess], bool]) -> None:
        for place in reversed(range(len(self._idle))):
            if done_with(self._idle[place][0]):
                self._idle.pop(place)[0].stop()

    def _start(self, specification: Specification) -> FunctionProcess:
        name, version = specification.name, specification.version
        # One file for each that prints, since what is sent to the log group is what has come to the file.
        taken = {process.log for process in (*self._busy, *(process for process, _ in self._idle))}
        files = (self._home / "local" / "functions" / f"{name}.{version}.{number}.log" for number in count(1))
        log = next(file for file in files if file not in taken)
        logs = self._client("logs", specification.region)
        return FunctionProcess(specification, log, LogStream(logs, name, version, log))

    def _specification(self, arn: str, version: str) -> Specification:
        region, name = arn.split(":")[3], arn.split(":")[6]
        function = self._client("lambda", region).get_function(FunctionName=name, Qualifier=version)
        configuration = function["Configuration"]
        folder = Images(self._home).path(name, function["Code"]["ImageUri"].rpartition(":")[2])
        if not folder.is_dir():
            raise FunctionError("ImageDeleted", f"{folder} is gone: run `lambdacap deploy --local` again")
        return Specification(
            arn=arn,
            version=version,
            folder=folder,
            memory=configuration["MemorySize"],
            timeout=configuration["Timeout"],
            variables=tuple(sorted(configuration.get("Environment", {}).get("Variables", {}).items())),
        )

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3's stubs want literals
        with self._making:  # which boto3 does in one thread at a time only
            if (service, region) not in self._clients:
                self._clients[service, region] = boto3.client(  # type: ignore[call-overload]
                    service,
                    endpoint_url=self._endpoint,
                    region_name=region,
                    aws_access_key_id=LOCAL_KEY,
                    aws_secret_access_key=LOCAL_KEY,
                )
            return self._clients[service, region]


class FunctionServer(ThreadingHTTPServer):
    """MiniStack's Lambda proxy target on 127.0.0.1; `GET /` tells which process this is."""

    daemon_threads = True

    def __init__(self, functions: Functions, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.functions = functions

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FunctionServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the answer goes out in two pieces: the second would wait for the first's receipt

    def do_GET(self) -> None:
        self._answer(200, {"pid": os.getpid()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            result = self.server.functions.invoke(
                self.headers["X-Amzn-Lambda-Function-Arn"],
                self.headers["X-Amzn-Lambda-Function-Version"],
                self.headers["X-Amzn-Lambda-Request-Id"],
                # MiniStack stops listening at the deadline; the answer has to come before.
                int(self.headers["X-Amzn-Lambda-Deadline-Ms"]) / 1000 - 0.2,
                json.loads(body),
            )
        except FunctionError as error:
            self._answer(500, error.payload)
        else:
            self._answer(200, result)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Quiet: MiniStack logs every invocation already."""

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
