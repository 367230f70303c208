"""Runs the events of functions that have no container: MiniStack forwards each here, a process answers.

One process a function version, one event at a time, killed at the function's timeout, started anew after a
crash or when the function's configuration has changed. The configuration is asked of the local Lambda for
every event, so that an update holds from the next event on, as on AWS.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast

import boto3

from lambdacap.aws import LOCAL_KEY
from lambdacap.local.images import Images
from lambdacap.local.log_stream import LogStream

HANDLER = "handler.handler"
"""The image's CMD."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "SSL_CERT_FILE")
"""What a function process sees of our environment: no credential, no setting."""


@dataclass(frozen=True)
class Specification:
    """All that makes one function process differ from another."""

    name: str
    version: str
    folder: Path
    memory: int
    timeout: int
    variables: tuple[tuple[str, str], ...]


class FunctionError(Exception):
    """The function failed; `payload` is what Lambda would report."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.payload = {"errorType": kind, "errorMessage": message}


class FunctionProcess:
    """One process that runs the handler of one `Specification`; `log` is the file that it prints into."""

    def __init__(self, specification: Specification, log: Path, stream: LogStream) -> None:
        self.specification = specification
        self.stream = stream
        environment = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        environment |= {
            "AWS_LAMBDA_FUNCTION_NAME": specification.name,
            "AWS_LAMBDA_FUNCTION_VERSION": specification.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(specification.memory),
            "LAMBDA_TASK_ROOT": str(specification.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",  # Lambda has every line at once
            "_HANDLER": HANDLER,
        }
        environment |= dict(specification.variables)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as printed:
            process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py"))],
                cwd=specification.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
            )
        self._process = process
        self._events, self._results = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        self._ready = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, event: object, context: dict[str, Any]) -> object:
        """The handler's result; raises `FunctionError` for its failure, crash or time-out."""
        timed_out = threading.Event()

        def expire() -> None:
            timed_out.set()
            self._process.kill()

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
        self._process.kill()
        self._process.wait()
        self._results.close()
        with contextlib.suppress(BrokenPipeError):  # an unsent event died with the process
            self._events.close()

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
            raise FunctionError(answer["error"]["errorType"], answer["error"]["errorMessage"])
        return answer

    def _gone(self, timed_out: threading.Event) -> FunctionError:
        status = self._process.wait()
        if timed_out.is_set():
            return FunctionError("Sandbox.Timedout", f"Task timed out after {self.specification.timeout}.00 seconds")
        return FunctionError("Runtime.ExitError", f"Runtime exited with status {status}")


class Functions:
    """The function processes of one local cloud."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self._home = home
        self._endpoint = endpoint
        self._processes: dict[tuple[str, str], FunctionProcess] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._guard = threading.Lock()

    def invoke(self, arn: str, version: str, request: str, deadline: float, event: object) -> object:
        """Run `event` through the function; `deadline` is Unix time in seconds.

        `arn` is the one that was called, which may end in a version or an alias.
        """
        key = (":".join(arn.split(":")[:7]), version)
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(0.0, deadline - time.time())):
            raise FunctionError("Sandbox.Timedout", "the function was busy with other events until the deadline")
        try:
            process = self._process(key)
            specification = process.specification
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
            return process.run(event, context)
        finally:
            lock.release()

    def stop(self) -> None:
        """End every process."""
        with self._guard:
            for process in self._processes.values():
                process.stop()
            self._processes.clear()

    def _process(self, key: tuple[str, str]) -> FunctionProcess:
        specification = self._specification(*key)
        process = self._processes.get(key)
        if process and process.alive and process.specification == specification:
            return process
        if process:
            process.stop()
        name, version = specification.name, specification.version
        log = self._home / "local" / "functions" / f"{name}.{version}.log"
        stream = LogStream(self._client("logs", key[0].split(":")[3]), name, version, log)
        self._processes[key] = process = FunctionProcess(specification, log, stream)
        return process

    def _specification(self, arn: str, version: str) -> Specification:
        region, name = arn.split(":")[3], arn.split(":")[6]
        function = self._client("lambda", region).get_function(FunctionName=name, Qualifier=version)
        configuration = function["Configuration"]
        folder = Images(self._home).path(name, function["Code"]["ImageUri"].rpartition(":")[2])
        if not folder.is_dir():
            raise FunctionError("ImageDeleted", f"{folder} is gone: run `lambdacap deploy --local` again")
        return Specification(
            name=name,
            version=version,
            folder=folder,
            memory=configuration["MemorySize"],
            timeout=configuration["Timeout"],
            variables=tuple(sorted(configuration.get("Environment", {}).get("Variables", {}).items())),
        )

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3's stubs want literals
        with self._guard:
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
