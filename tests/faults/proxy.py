"""A proxy between lambdacap and the local cloud that knows AWS's calls by name, and spoils the one that it is told.

Every fault is one of the wire: error answers as each of AWS's protocols words them, resets, silence, halves of
answers, and the death of the caller before or after the call took effect.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.calls import QUERY, operation
from tests.servers import Asked, Handler, Reply, forwarded, listening

ONCE, ALWAYS = "once", "always"
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
    spoil: Callable[[Call, Reply], Reply] = lambda _, reply: reply
    """What becomes of answers that no fault befalls."""
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

    class Spoiling(_Handler):
        pass

    proxy = Spoiling.proxy = Proxy(upstream)
    with listening(Spoiling) as proxy.url:
        yield proxy


class _Handler(Handler):
    proxy: Proxy

    def respond(self, asked: Asked) -> None:
        named = operation(asked)
        kind = ""
        if named:
            # botocore gives all attempts of one call the same id.
            attempt = asked.headers.get("amz-sdk-invocation-id", "")
            call, kind = self.proxy.note(*named, attempt)
        if not kind:
            reply = forwarded(self.proxy.upstream, asked)
            self.send(self.proxy.spoil(call, reply) if named else reply)
        elif kind in ERRORS:
            self.send(_refusal(call.service, kind))
        elif kind == "reset":
            self._reset()
        elif kind in ("silence", "answered late", "carried out late"):
            if kind == "answered late":
                forwarded(self.proxy.upstream, asked)
            self.connection.settimeout(120)
            self.connection.recv(1)  # until the caller has had enough of waiting
            if kind == "carried out late":
                forwarded(self.proxy.upstream, asked)
            self.close_connection = True
        elif kind == "truncated":
            self._truncate(forwarded(self.proxy.upstream, asked))
        elif kind == "killed before":
            self.proxy.kill()
            self.close_connection = True
        else:
            forwarded(self.proxy.upstream, asked)
            self.proxy.kill()
            self.close_connection = True

    def _truncate(self, reply: Reply) -> None:
        if reply.body:
            self.send(reply, length=len(reply.body) // 2)
        else:
            self.wfile.write(b"HTTP/1.1 2")  # an answer without a body is cut in its first line
            self.close_connection = True

    def _reset(self) -> None:
        # Closing with a linger of 0 s sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _refusal(service: str, kind: str) -> Reply:
    """An error answer as the service's protocol words it."""
    status, name = ERRORS[kind].get(service) or ERRORS[kind][""]
    words = f"injected: {kind}"
    if service in QUERY:
        error = f"<ErrorResponse><Error><Type>Sender</Type><Code>{name}</Code><Message>{words}</Message></Error>"
        return Reply(status, [("Content-Type", "text/xml")], f"{error}</ErrorResponse>".encode())
    headers = [("Content-Type", "application/json"), ("x-amzn-errortype", name)]
    return Reply(status, headers, json.dumps({"__type": name, "message": words}).encode())
