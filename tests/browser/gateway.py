"""A gateway before a deployed API, on the wire: it compresses, wants a key, is slow or fails as API Gateway does."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from tests.servers import Answer, Asked

COMPRESSED_FROM = 1024
_PASSED_ON = {"content-type", "accept", "if-none-match"}
_NOT_PASSED_BACK = {"connection", "content-length", "date", "server", "transfer-encoding"}


@dataclass
class Gateway:
    """Sends on to `upstream` what it does not answer itself. A POST takes the next of `answers` while there are any,
    and with a `key` is refused without it."""

    url: str
    upstream: str
    answers: list[Answer] = field(default_factory=list)
    key: str = ""
    delay: float = 0.0  # seconds for which a picture's answer is held back
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def posted(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST"]

    def refuses(self, asked: Asked) -> bool:
        return bool(self.key) and asked.method == "POST" and asked.headers.get("x-api-key") != self.key


@contextmanager
def before(upstream: str) -> Iterator[Gateway]:
    """A gateway on a free port of 127.0.0.1 before the API at `upstream`."""
    session = requests.Session()
    session.trust_env = False  # a proxy does not know our 127.0.0.1

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {key.lower(): value for key, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            gateway.asked.append(asked)
            if asked.method == "POST" and gateway.delay and gateway.closing.wait(gateway.delay):
                return
            if gateway.refuses(asked):
                self.answer(refusal(403, "Forbidden"))
            elif asked.method == "POST" and gateway.answers:
                self.answer(gateway.answers.pop(0))
            else:
                self.forward(asked)

        def forward(self, asked: Asked) -> None:
            reply = session.request(
                asked.method,
                gateway.upstream + asked.path.removeprefix("/"),
                data=asked.body,
                headers={key: value for key, value in asked.headers.items() if key in _PASSED_ON},
                timeout=60,
            )
            headers = {key: value for key, value in reply.headers.items() if key.lower() not in _NOT_PASSED_BACK}
            self.send(reply.status_code, headers, reply.content)

        def answer(self, answer: Answer) -> None:
            self.send(answer.status, {"Content-Type": answer.media_type}, answer.body)

        def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            if len(body) >= COMPRESSED_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
                headers, body = {**headers, "Content-Encoding": "gzip"}, gzip.compress(body)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_OPTIONS = respond  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http, session:
        http.daemon_threads = True
        gateway = Gateway(f"http://127.0.0.1:{http.server_port}/", upstream)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield gateway
        finally:
            gateway.closing.set()
            http.shutdown()
            thread.join()


def refusal(status: int, message: str) -> Answer:
    """What API Gateway says itself."""
    return Answer(status, json.dumps({"message": message}).encode())


def error(status: int, code: str, message: str) -> Answer:
    """What the function says."""
    return Answer(status, json.dumps({"error": {"code": code, "message": message}}).encode())
