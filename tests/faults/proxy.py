"""A proxy between lambdacap and the local cloud that knows AWS's calls by name, and spoils the one that it is told.

Every fault is one of the wire: error answers as each of AWS's protocols words them, resets, silence, halves of
answers, and the death of the caller before or after the call took effect.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import botocore.session

ONCE, ALWAYS = "once", "always"
QUERY = ("iam", "sts", "sns")
"""Services that speak AWS's query protocol: an action in a form, and XML for answers."""
ERRORS = {
    "throttled": {
        "iam": (400, "Throttling"),
        "sts": (400, "Throttling"),
        "sns": (400, "Throttling"),
        "lambda": (429, "TooManyRequestsException"),
        "apigateway": (429, "TooManyRequestsException"),
        "tagging": (400, "ThrottledException"),
        "": (400, "ThrottlingException"),
    },
    "500": {"": (500, "InternalFailure")},
    "503": {"": (503, "ServiceUnavailable")},
    "expired": {**dict.fromkeys(QUERY, (403, "ExpiredToken")), "": (400, "ExpiredTokenException")},
    "denied": {**dict.fromkeys(QUERY, (403, "AccessDenied")), "": (403, "AccessDeniedException")},
}
"""Fault → service → (HTTP status, AWS's code)."""
WIRE = ("reset", "silence", "answered late", "carried out late", "truncated", "killed before", "killed after")
"""Whoever is answered late has given up waiting: the call was carried out, before that or after."""
FAULTS = (*ERRORS, *WIRE)


class Call(NamedTuple):
    """An AWS call of one run: the `number`-th `operation` of `service`, counted from 1, retries not counted."""

    service: str
    operation: str
    number: int

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}" + (f" ({self.number})" if self.number > 1 else "")


@dataclass
class Fault:
    """What befalls `call`: `kind` of `FAULTS`; `lasting` is whether it meets one attempt, or each until the end."""

    call: Call
    kind: str
    lasting: str
    met: int = 0


@dataclass
class Proxy:
    """Forwards to `upstream`; `calls` are those seen since the last `watch`."""

    upstream: str
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    fault: Fault | None = None
    kill: Callable[[], None] = lambda: None
    guard: threading.Lock = field(default_factory=threading.Lock)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _attempts: dict[str, Call] = field(default_factory=dict)

    def watch(self, fault: Fault | None, kill: Callable[[], None] = lambda: None) -> None:
        """Begin a new run, with at most one fault; `kill` ends the command that calls."""
        with self.guard:
            self.calls, self.fault, self.kill = [], fault, kill
            self._counts.clear()
            self._attempts.clear()

    def note(self, service: str, operation: str, attempt: str) -> tuple[Call, str]:
        """Which call this is, and the kind of the fault that befalls this attempt of it, if any."""
        with self.guard:
            call = self._attempts.get(attempt)
            if call is None:
                self._counts[service, operation] += 1
                call = self._attempts[attempt] = Call(service, operation, self._counts[service, operation])
                self.calls.append(call)
            fault = self.fault
            if fault is None or fault.call != call or (fault.met and fault.lasting == ONCE):
                return call, ""
            fault.met += 1
            return call, fault.kind


@contextmanager
def proxying(upstream: str) -> Iterator[Proxy]:
    """A proxy on a free port of 127.0.0.1."""
    proxy = Proxy(upstream)

    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    with _Server(("127.0.0.1", 0), Handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that are killed break their connections: that is the point."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body go out in two pieces: the second would wait 40 ms
    proxy: Proxy

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        named = _named(self.command, self.path, dict(self.headers), body)
        kind = ""
        if named:
            # botocore gives all attempts of one call the same id.
            attempt = self.headers.get("amz-sdk-invocation-id", "")
            call, kind = self.proxy.note(*named, attempt)
        if not kind:
            self._send(*self._ask(body))
        elif kind in ERRORS:
            self._send(*_refusal(call.service, kind))
        elif kind == "reset":
            self._reset()
        elif kind in ("silence", "answered late", "carried out late"):
            if kind == "answered late":
                self._ask(body)
            self.connection.settimeout(120)
            self.connection.recv(1)  # until the caller has had enough of waiting
            if kind == "carried out late":
                self._ask(body)
            self.close_connection = True
        elif kind == "truncated":
            status, headers, content = self._ask(body)
            self._send(status, headers, content, cut=True)
        elif kind == "killed before":
            self.proxy.kill()
            self.close_connection = True
        else:
            self._ask(body)
            self.proxy.kill()
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = forward  # noqa: N815 - http.server's names

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        place = urlsplit(self.proxy.upstream)
        upstream = http.client.HTTPConnection(place.hostname or "", place.port, timeout=100)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            dropped = {"content-length", "transfer-encoding", "connection"}
            headers = [(key, value) for key, value in answer.getheaders() if key.lower() not in dropped]
            return answer.status, headers, answer.read()
        finally:
            upstream.close()

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes, *, cut: bool = False) -> None:
        if cut and not content:
            self.wfile.write(b"HTTP/1.1 2")  # an answer without a body is cut in its first line
            self.close_connection = True
            return
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def _reset(self) -> None:
        # Closing with a linger of 0 s sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Quiet."""


def _named(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[str, str] | None:
    """Service and operation of a signed request, by the rules of its protocol; None for what is no AWS call."""
    lower = {key.lower(): value for key, value in headers.items()}
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", lower.get("authorization", ""))
    if scope is None:
        return None
    service = scope[1]
    if "x-amz-target" in lower:
        return service, lower["x-amz-target"].rpartition(".")[2]
    action = parse_qs(body.decode("utf-8", "replace")).get("Action") if service in QUERY else None
    if action:
        return service, action[0]
    place = urlsplit(path).path
    for name, verb, pattern in _rest_operations(service):
        if verb == method and pattern.fullmatch(place):
            return service, name
    return service, f"{method} {place}"


@cache
def _rest_operations(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    """Operation, method and path of a REST service, as botocore's model of it says; fixed paths come first."""
    model: Any = botocore.session.get_session().get_service_model(service)
    operations = []
    for name in model.operation_names:
        http_ = model.operation_model(name).http
        path = http_["requestUri"].partition("?")[0]
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path).replace(r"\+\}", r"\}"))
        operations.append((path.count("{"), (name, http_["method"], re.compile(pattern + "/?"))))
    return [operation for _, operation in sorted(operations, key=lambda entry: entry[0])]


def _refusal(service: str, kind: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """An error answer as the service's protocol words it."""
    status, name = ERRORS[kind].get(service) or ERRORS[kind][""]
    words = f"injected: {kind}"
    if service in QUERY:
        error = f"<ErrorResponse><Error><Type>Sender</Type><Code>{name}</Code><Message>{words}</Message></Error>"
        return status, [("Content-Type", "text/xml")], f"{error}</ErrorResponse>".encode()
    headers = [("Content-Type", "application/json"), ("x-amzn-errortype", name)]
    return status, headers, json.dumps({"__type": name, "message": words}).encode()
