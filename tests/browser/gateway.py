"""A gateway before a deployed API, on the wire: it compresses, wants a key, is slow or fails as API Gateway does."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.servers import Answer, Asked, Handler, Reply, forwarded, listening

COMPRESSED_FROM = 1024
_PASSED_ON = {"content-type", "accept", "if-none-match"}


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

    class Before(Handler):
        def respond(self, asked: Asked) -> None:
            gateway.asked.append(asked)
            if asked.method == "POST" and gateway.delay and gateway.closing.wait(gateway.delay):
                return
            if gateway.refuses(asked):
                reply = said(refusal(403, "Forbidden"))
            elif asked.method == "POST" and gateway.answers:
                reply = said(gateway.answers.pop(0))
            else:
                headers = {key: value for key, value in asked.headers.items() if key in _PASSED_ON}
                reply = forwarded(gateway.upstream, replace(asked, headers=headers))
            if len(reply.body) >= COMPRESSED_FROM and "gzip" in asked.headers.get("accept-encoding", ""):
                packed = [*reply.headers, ("Content-Encoding", "gzip")]
                reply = Reply(reply.status, packed, gzip.compress(reply.body))
            self.send(reply)

    with listening(Before) as url:
        gateway = Gateway(f"{url}/", upstream)
        try:
            yield gateway
        finally:
            gateway.closing.set()


def said(answer: Answer) -> Reply:
    return Reply(answer.status, [("Content-Type", answer.media_type)], answer.body)


def refusal(status: int, message: str) -> Answer:
    """What API Gateway says itself."""
    return Answer(status, json.dumps({"message": message}).encode())


def error(status: int, code: str, message: str) -> Answer:
    """What the function says."""
    return Answer(status, json.dumps({"error": {"code": code, "message": message}}).encode())
