"""Real HTTP servers in a thread: those that answer as a script says, and the base of all that stand in the way."""

from __future__ import annotations

import http.client
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

_OF_ONE_CONNECTION = {"connection", "content-length", "transfer-encoding"}
"""Headers that are no matter of the next connection."""


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    media_type: str = "application/json"
    delay: float = 0.0
    ahead: float = 0.0
    """Seconds by which the server's clock is ahead."""


@dataclass(frozen=True)
class Asked:
    """A request; the names of its `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    status: int
    headers: Iterable[tuple[str, str]]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Reads each request to its end and lets `respond` have it, whatever its method; says nothing of its own."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body go out in two pieces: the second would wait 40 ms

    def respond(self, asked: Asked) -> None:
        raise NotImplementedError

    def _read(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        self.respond(Asked(self.command, self.path, headers, body))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _read  # noqa: N815 - http.server's names

    def send(self, reply: Reply, *, length: int | None = None) -> None:
        """Send it all, or no more than `length` bytes of its body and then hang up."""
        self.send_response_only(reply.status)
        for key, value in {"Date": self.date_time_string(), **dict(reply.headers)}.items():
            self.send_header(key, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[:length])
        self.close_connection = self.close_connection or length is not None

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a caller's pool may keep a connection for longer than the test takes

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that are killed or lose patience break their connections, which is what they are there for."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address, without a slash at its end, of a server on a free port of 127.0.0.1."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def forwarded(upstream: str, asked: Asked) -> Reply:
    """What the server at `upstream` answers to the same."""
    place = urlsplit(upstream)
    # The Host is signed along; without a signature the proxy's own would be a foreign one.
    dropped = {"connection"} if "authorization" in asked.headers else {"connection", "host"}
    headers = {key: value for key, value in asked.headers.items() if key not in dropped}
    with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=100)) as connection:
        connection.request(asked.method, place.path.rstrip("/") + asked.path, asked.body, headers)
        answer = connection.getresponse()
        kept = [(key, value) for key, value in answer.getheaders() if key.lower() not in _OF_ONE_CONNECTION]
        return Reply(answer.status, kept, answer.read())


@dataclass
class Server:
    """Gives its `answers` in turn, the last one for ever; keeps what it was `asked`.

    Who asks for its description gets that, apart from the script.
    """

    url: str
    answers: list[Answer]
    description: Answer
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(*answers: Answer, description: Answer | None = None) -> Iterator[Server]:
    """A server on a free port of 127.0.0.1."""
    absent = Answer(403, b'{"message": "Missing Authentication Token"}')

    class Scripted(Handler):
        protocol_version = "HTTP/1.0"  # a connection for each request

        def respond(self, asked: Asked) -> None:
            answer = server.description
            if not asked.path.endswith("/openapi.json"):
                server.asked.append(asked)
                answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            if answer.delay and server.closing.wait(answer.delay):
                return
            date = self.date_time_string(time.time() + answer.ahead)
            self.send(Reply(answer.status, [("Date", date), ("Content-Type", answer.media_type)], answer.body))

    with listening(Scripted) as url:
        server = Server(f"{url}/", list(answers), description or absent)
        try:
            yield server
        finally:
            server.closing.set()
