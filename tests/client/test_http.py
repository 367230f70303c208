"""The client against a real HTTP server: what it sends, what it makes of each answer."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lambdacap.client import http as client
from lambdacap.client.contract import CAPTIONER
from lambdacap.client.http import Client
from lambdacap.client.photo import Photo
from lambdacap.client.request import Request, request
from lambdacap.errors import CallError, LocalCloudError
from tests.servers import Answer, serving

PHOTO = Photo("dog.jpg", b"\xff\xd8picture", "image/jpeg")
REQUEST = request(CAPTIONER, {"photo": PHOTO, "beam": "3"}, PHOTO.name)
CAPTION = Answer(body=json.dumps({"caption": "a dog", "words": ["a", "dog"]}).encode())


Call = Callable[[str], Any]


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
def caption(time: Time) -> Call:
    def call(url: str) -> Any:  # noqa: ANN401 - JSON
        with Client(url, waiting=time.waiting, sleep=time.sleep, clock=lambda: time.now) as api:
            return api.send(REQUEST).value

    return call


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


NOTHING = (b"<html>", b"", b"{", b"\xff", b"[" * 100_000)


@pytest.mark.parametrize("answer", [Answer(200, body) for body in NOTHING], ids=range(len(NOTHING)))
def test_an_answer_that_is_no_json(answer: Answer, caption: Call) -> None:
    with serving(answer) as server, pytest.raises(CallError, match="the API answered 200 with what is no JSON"):
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


def description(answers: str = "application/json") -> bytes:
    """Of a model that takes a number."""
    request = {"type": "object", "properties": {"count": {"type": "integer"}}, "additionalProperties": False}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}}
    post = {"requestBody": {"content": content}, "responses": {"200": {"content": {answers: {}}}}}
    made = {"openapi": "3.1.0", "paths": {"/": {"post": post}}, "components": {"schemas": {"Request": request}}}
    return json.dumps(made).encode()


def test_what_is_described_is_read() -> None:
    with serving(CAPTION, description=Answer(body=description())) as server, Client(server.url) as api:
        found = api.describe()
    assert (list(found.parameters), found.answers, found.free) == (["count"], ("application/json",), False)
    assert server.asked == []


@pytest.mark.parametrize("answer", [Answer(403), Answer(404), Answer(200, b'{"caption": "a dog"}'), Answer(200, b"1")])
def test_where_nothing_is_described_the_captioner_answers(answer: Answer) -> None:
    with serving(CAPTION, description=answer) as server, Client(server.url) as api:
        assert api.describe() is CAPTIONER


@pytest.mark.parametrize("status", [400, 500, 502])
def test_a_description_that_is_refused(status: int, time: Time) -> None:
    with (
        serving(CAPTION, description=Answer(status, b'{"message": "no"}')) as server,
        Client(server.url, sleep=time.sleep, clock=lambda: time.now) as api,
        pytest.raises(CallError, match=f"openapi.json: the API answered {status} no"),
    ):
        api.describe()


@pytest.mark.parametrize(
    ("media_type", "file"),
    [("image/png", True), ("application/octet-stream", True), ("text/csv", True), ("text/plain", False)],
)
def test_files_and_text(media_type: str, file: bool) -> None:
    answer = Answer(body=b"caf\xc3\xa9", media_type=f"{media_type}; charset=utf-8")
    with serving(answer) as server, Client(server.url) as api:
        found = api.send(Request("x", b"", "text/plain"))
        assert api.send(Request("x", b"", "text/plain", wants_file=True)).file is not None
    assert (found.value == "café") is not file
    if found.file:
        assert (found.file.content, found.file.media_type) == (b"caf\xc3\xa9", media_type)


def test_an_answer_without_an_end(monkeypatch: pytest.MonkeyPatch, caption: Call) -> None:
    monkeypatch.setattr(client, "LARGEST", 100_000)
    with serving(Answer(body=b" " * 100_001)) as server, pytest.raises(CallError, match="more than 0 MB"):
        caption(server.url)


def test_what_is_wanted_is_asked_for() -> None:
    picture = replace(CAPTIONER, answers=("image/png", "image/jpeg"))
    assert request(picture, {"photo": PHOTO}, "x").accept == "*/*"
    assert request(picture, {"photo": PHOTO}, "x", "image/jpeg").accept == "image/jpeg"
    assert REQUEST.accept == "application/json"
