"""The client against a real HTTP server: what it sends, what it makes of each answer."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from lambdacap.client import http as client
from lambdacap.client.http import Client
from lambdacap.client.photo import Photo
from lambdacap.errors import CallError, LocalCloudError
from tests.servers import Answer, serving

PHOTO = Photo("dog.jpg", b"\xff\xd8picture", "image/jpeg")
CAPTION = Answer(body=json.dumps({"caption": "a dog", "words": ["a", "dog"]}).encode())


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 100.0
    waits: list[tuple[str, float]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def waiting(self, reason: str, seconds: float) -> None:
        self.waits.append((reason, seconds))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def caption(time: Time) -> Callable[[str], dict[str, object]]:
    def call(url: str) -> dict[str, object]:
        with Client(url, waiting=time.waiting, sleep=time.sleep, clock=lambda: time.now) as api:
            return api.caption(PHOTO, {"beam": "3"})

    return call


Call = Callable[[str], dict[str, object]]


def test_a_photo_is_posted_and_the_answer_returned(caption: Call) -> None:
    with serving(CAPTION) as server:
        assert caption(server.url) == {"caption": "a dog", "words": ["a", "dog"]}
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/?beam=3", PHOTO.content)
    assert (asked.headers["content-type"], asked.headers["accept"]) == ("image/jpeg", "application/json")


def test_an_error_of_the_api_is_told_in_its_own_words(caption: Call) -> None:
    body = {"error": {"code": "unsupported_image", "message": "this is a PDF"}}
    with serving(Answer(400, json.dumps(body).encode())) as server, pytest.raises(CallError) as caught:
        caption(server.url)
    assert str(caught.value) == "dog.jpg: this is a PDF"
    assert (caught.value.status, caught.value.code) == (400, "unsupported_image")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "message", "hint"),
    [
        (403, b'{"message": "Missing Authentication Token"}', "403 Missing Authentication Token", "no such API any"),
        (403, b'{"message": "Forbidden"}', "403 Forbidden", "wants a key"),
        (404, b"{}", "404 Not Found", "no such API any more"),
        (413, b'{"message": "Request Too Long"}', "413 Request Too Long", "too large"),
        (500, b"<html>", "500 Internal Server Error", "lambdacap status"),
        (502, b'{"message": "Internal server error"}', "502 Internal server error", "its log"),
        (400, b"[]", "400 Bad Request", "lambdacap status"),
        (400, b'{"error": "text"}', "400 Bad Request", "lambdacap status"),
    ],
)
def test_refusals_of_the_gateway(status: int, body: bytes, message: str, hint: str, caption: Call) -> None:
    with serving(Answer(status, body)) as server, pytest.raises(CallError) as caught:
        caption(server.url)
    assert str(caught.value) == f"dog.jpg: the API answered {message}"
    assert hint in caught.value.hint
    assert caught.value.status == status
    assert len(server.asked) == 1


NOTHING = (b"<html>", b"[1]", b"", b"{}", b'{"words": []}', b'{"caption": ["a"]}', b'{"caption": null}', b"[" * 100_000)


@pytest.mark.parametrize("answer", [Answer(200, body) for body in NOTHING], ids=range(len(NOTHING)))
def test_an_answer_that_is_no_json_object(answer: Answer, caption: Call) -> None:
    with serving(answer) as server, pytest.raises(CallError, match="the API answered 200"):
        caption(server.url)


@pytest.mark.parametrize("status", [429, 503, 504])
def test_a_cold_start_is_waited_out(status: int, caption: Call, time: Time) -> None:
    busy = Answer(status, b'{"message": "Endpoint request timed out"}')
    with serving(busy, busy, CAPTION) as server:
        assert caption(server.url)["caption"] == "a dog"
    assert time.waits == [(f"HTTP {status}", 1.0), (f"HTTP {status}", 2.0)]
    assert len(server.asked) == 3
    assert {asked.body for asked in server.asked} == {PHOTO.content}


def test_too_many_executions_are_waited_out(caption: Call, time: Time) -> None:
    """Lambda's 429 to the gateway is the gateway's 500 to its caller."""
    refused = Answer(500, b'{"message": "Internal server error"}')
    with serving(refused, CAPTION) as server:
        assert caption(server.url)["caption"] == "a dog"
    assert time.waits == [("HTTP 500", 1.0)]
    # So does a gateway speak that may not call the function at all, which no wait changes.
    with serving(refused) as server, pytest.raises(CallError, match="500 Internal server error") as caught:
        caption(server.url)
    assert "lambdacap status" in caught.value.hint
    assert sum(seconds for _, seconds in time.waits[1:]) <= client.REFUSED
    # The handler's own is a bug, which it would meet again.
    own = Answer(500, b'{"error": {"code": "internal_error", "message": "this is a bug"}}')
    with serving(own) as server, pytest.raises(CallError, match="this is a bug"):
        caption(server.url)
    assert len(server.asked) == 1


def test_patience_ends(caption: Call, time: Time) -> None:
    busy = Answer(504, b'{"message": "Endpoint request timed out"}')
    with serving(busy) as server, pytest.raises(CallError, match="504 Endpoint request timed out") as caught:
        caption(server.url)
    assert "--memory" in caught.value.hint
    assert time.now - 100 <= client.PATIENCE
    assert time.waits[-1][1] == 15.0


def test_nobody_at_a_local_address(caption: Call) -> None:
    with serving(CAPTION) as server:
        pass
    with pytest.raises(LocalCloudError, match="the local cloud does not answer") as caught:
        caption(server.url)
    assert "lambdacap local start" in caught.value.hint


def test_nobody_at_a_remote_address(caption: Call) -> None:
    with pytest.raises(CallError, match="cannot be reached") as caught:
        caption("http://no-such-host.invalid/")
    assert caught.value.status == 0
    assert "network" in caught.value.hint


def test_a_silent_api(caption: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_TIMEOUT", 0.1)
    with serving(Answer(delay=30)) as server, pytest.raises(CallError, match="gave no answer within") as caught:
        caption(server.url)
    assert "warm" in caught.value.hint
    assert len(server.asked) == 1


def test_a_proxy_is_not_asked_for_this_machine(caption: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with serving(CAPTION) as server:
        assert caption(server.url)["caption"] == "a dog"


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"caption":',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    ],
    ids=["cut off", "no chunk", "no gzip"],
)
def test_an_answer_that_breaks_off(answer: bytes, caption: Call) -> None:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with pytest.raises((CallError, LocalCloudError), match=r"cannot be read|does not answer") as caught:
                caption(f"http://127.0.0.1:{server.server_address[1]}/")
        finally:
            server.shutdown()
            thread.join()
    assert caught.value.hint


def test_a_used_up_quota_is_told_at_once(caption: Call, time: Time) -> None:
    with serving(Answer(429, body=b'{"message": "Limit Exceeded"}')) as server, pytest.raises(CallError) as refused:
        caption(server.url)
    assert "quota of today is used up" in refused.value.message
    assert (refused.value.status, refused.value.code, time.waits) == (429, client.USED_UP, [])
