"""Runs the events of functions that have no container: MiniStack hands each over, a process answers.

A process runs one event at a time, and there are as many processes as events at a time: MiniStack answers 429 to
what goes beyond `cloud.CONCURRENCY`. They are killed at the function's timeout, started anew after a crash or when the
function's configuration has changed. The configuration is asked of the local Lambda for every event, so that an update
holds from the next event on, as on AWS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from lambdacap.aws.clients import LOCAL_KEY
from lambdacap.local.images import Images
from lambdacap.local.log_stream import LogStream
from lambdacap.local.note import Cloud
from lambdacap.local.process import FunctionError, FunctionProcess, Specification

IDLE = 300.0
"""Seconds without an event after which a process may end, as Lambda's do."""


Credentials = Callable[[dict[str, Any]], dict[str, str]]
"""The configuration of a function → the variables that sign it in as its role."""


class Functions:
    """The function processes of one local cloud; `credentials` are what each may call it with."""

    def __init__(self, home: Path, cloud: Cloud, credentials: Credentials) -> None:
        self._home = home
        self._cloud = cloud
        self._credentials = credentials
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
        tag = function["Code"].get("ImageUri", "").rpartition(":")[2]
        try:
            folder = Images(self._home).path(name, tag)
        except ValueError as error:
            raise FunctionError("InvalidImage", str(error)) from error
        if not folder.is_dir():
            raise FunctionError("ImageDeleted", f"{folder} is gone: run `lambdacap deploy --local` again")
        python, said = Images(self._home).runs(name, tag)
        if python and not python.exists():
            raise FunctionError("ImageDeleted", f"{python} is gone: run `lambdacap deploy --local` again")
        signed_in = {**self._credentials(configuration), "AWS_ENDPOINT_URL": self._cloud.endpoint}
        variables = {**said, **configuration.get("Environment", {}).get("Variables", {}), **signed_in}
        return Specification(
            arn=arn,
            version=version,
            folder=folder,
            memory=configuration["MemorySize"],
            timeout=configuration["Timeout"],
            variables=tuple(sorted(variables.items())),
            python=python,
        )

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3's stubs want literals
        with self._making:  # which boto3 does in one thread at a time only
            if (service, region) not in self._clients:
                self._clients[service, region] = boto3.client(  # type: ignore[call-overload]
                    service,
                    endpoint_url=self._cloud.endpoint,
                    region_name=region,
                    aws_access_key_id=LOCAL_KEY,
                    aws_secret_access_key=self._cloud.secret,
                    config=Config(proxies={}),
                )
            return self._clients[service, region]
