"""Downloads from a real server that cuts, stalls, truncates, redirects and refuses."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lambdacap.errors import ModelError
from lambdacap.events import Event, Finished, Progress, Warned, silent
from lambdacap.model import cache, fetch
from lambdacap.model.cache import Fetched

CONTENT = bytes(range(256)) * 8192  # 2 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATIENCE = (2.0, 0.3)


@dataclass
class Server:
    """What it does with each request, in order; the last for all that follow."""

    url: str = ""
    behaviours: list[Callable[[Handler], None]] = field(default_factory=list)
    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: list[str | None] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    server: HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        script = self.server.script
        script.ranges.append(self.headers.get("Range"))
        behaviour = script.behaviours.pop(0) if len(script.behaviours) > 1 else script.behaviours[0]
        self.close_connection = True
        behaviour(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, **headers: str | int) -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    script: Server


def serve(handler: Handler, *, upto: int | None = None, ranges: bool = True) -> None:
    """The content as S3 sends it, cut off after `upto` bytes."""
    script = handler.server.script
    wanted, same = handler.headers.get("Range"), handler.headers.get("If-Range") == script.etag
    first = int(wanted[6:-1]) if wanted and ranges and same else 0
    body, total = script.content[first:], len(script.content)
    if first:
        handler.head(
            206, Content_Length=len(body), Content_Range=f"bytes {first}-{total - 1}/{total}", ETag=script.etag
        )
    else:
        handler.head(200, Content_Length=total, ETag=script.etag)
    handler.wfile.write(body[:upto])


def cut(handler: Handler) -> None:
    serve(handler, upto=900_000)


def stall(handler: Handler) -> None:
    serve(handler, upto=700_000)
    handler.wfile.flush()
    handler.server.script.ended.wait(5)


def whole_only(handler: Handler) -> None:
    serve(handler, ranges=False)


def status(code: int) -> Callable[[Handler], None]:
    return lambda handler: handler.head(code, Content_Length=0)


def redirect(handler: Handler) -> None:
    handler.head(302, Location="/elsewhere/model.pickle", Content_Length=0)


def circle(handler: Handler) -> None:
    handler.head(302, Location=handler.path, Content_Length=0)


def page(handler: Handler) -> None:
    handler.head(200, Content_Type="text/html; charset=utf-8", Content_Length=6)
    handler.wfile.write(b"<html>")


def without_length(handler: Handler) -> None:
    handler.head(200)
    handler.wfile.write(handler.server.script.content)


def wrong_part(handler: Handler) -> None:
    handler.head(206, Content_Length=10, Content_Range="bytes 5-14/2097152", ETag='"one"')
    handler.wfile.write(b"0123456789")


@pytest.fixture
def server() -> Iterator[Server]:
    http = HttpServer(("127.0.0.1", 0), Handler)
    http.script = Server(f"http://127.0.0.1:{http.server_address[1]}/weights/model.pickle")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield http.script
    http.script.ended.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def get(server: Server, tmp_path: Path) -> Callable[..., Fetched]:
    """Fetches from the server, and waits for nobody."""

    def run(
        *behaviours: Callable[[Handler], None], report: Callable[[Event], None] = silent, sha256: str | None = None
    ) -> Fetched:
        server.behaviours = list(behaviours)
        return fetch.fetch(server.url, tmp_path, report, sha256=sha256, patience=PATIENCE, sleep=lambda _: None)

    return run


def test_a_download_is_kept_with_size_and_hash(get: Callable[..., Fetched], server: Server) -> None:
    events: list[Event] = []
    fetched = get(serve, report=events.append)
    assert (fetched.size, fetched.sha256) == (len(CONTENT), SHA256)
    assert fetched.file.read_bytes() == CONTENT
    record = json.loads(fetched.file.with_name("model.pickle.json").read_text())
    assert (record["size"], record["sha256"], record["url"]) == (len(CONTENT), SHA256, server.url)
    assert sorted(f.name for f in fetched.file.parent.iterdir()) == ["model.pickle", "model.pickle.json"]
    progress = [event.done for event in events if isinstance(event, Progress)]
    assert progress == sorted(progress)
    assert progress[-1] == len(CONTENT)


def test_what_is_there_is_not_downloaded_again(get: Callable[..., Fetched], server: Server) -> None:
    first = get(serve)
    events: list[Event] = []
    assert get(status(500), report=events.append) == first
    assert len(server.ranges) == 1
    assert any(isinstance(event, Finished) and event.action == "kept" for event in events)


def test_what_was_changed_on_disk_is_downloaded_again(get: Callable[..., Fetched]) -> None:
    first = get(serve)
    first.file.write_bytes(b"x" + CONTENT[1:])
    assert get(serve).file.read_bytes() == CONTENT


@pytest.mark.parametrize("broken", [cut, stall])
def test_a_broken_download_goes_on_where_it_was(
    broken: Callable[[Handler], None], get: Callable[..., Fetched], server: Server
) -> None:
    assert get(broken, broken, serve).file.read_bytes() == CONTENT
    assert server.ranges[0] is None
    starts = [int(asked[6:-1]) for asked in server.ranges[1:] if asked]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1]


def test_it_goes_on_in_the_next_run(get: Callable[..., Fetched], server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not answer as it should") as failed:
        get(cut, status(503))
    assert "goes on there" in failed.value.hint
    part = next(tmp_path.rglob("*.part"))
    have = part.stat().st_size
    assert 0 < have < len(CONTENT)
    assert get(serve).file.read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={have}-"


def test_a_new_version_on_the_server_starts_anew(get: Callable[..., Fetched], server: Server) -> None:
    with pytest.raises(ModelError):
        get(cut, status(500))
    server.content, server.etag = CONTENT[::-1], '"two"'
    assert get(serve).file.read_bytes() == CONTENT[::-1]


def test_a_server_that_knows_no_parts(get: Callable[..., Fetched]) -> None:
    assert get(cut, whole_only).file.read_bytes() == CONTENT


def test_a_server_that_sends_the_wrong_part(get: Callable[..., Fetched]) -> None:
    assert get(cut, wrong_part, serve).file.read_bytes() == CONTENT


def test_a_server_that_finds_the_range_too_far(get: Callable[..., Fetched]) -> None:
    assert get(cut, status(416), serve).file.read_bytes() == CONTENT


def test_a_length_that_is_not_told(get: Callable[..., Fetched]) -> None:
    assert get(without_length).sha256 == SHA256


def test_a_redirect_is_followed_and_a_circle_is_not(get: Callable[..., Fetched]) -> None:
    with pytest.raises(ModelError, match="cannot be downloaded"):
        get(circle)
    assert get(redirect, serve).sha256 == SHA256


def endless(handler: Handler) -> None:
    handler.head(200)
    for _ in range(1000):
        handler.wfile.write(bytes(1 << 20))


def claims_terabytes(handler: Handler) -> None:
    handler.head(200, Content_Length=10**13)


def claims_a_part_of_terabytes(handler: Handler) -> None:
    first = int(handler.headers.get("Range", "bytes=0-")[6:-1])
    handler.head(206, Content_Length=10, Content_Range=f"bytes {first}-{first + 9}/{10**13}", ETag='"one"')


def claims_no_number(handler: Handler) -> None:
    handler.head(200, Content_Length="9" * 5000)
    handler.wfile.write(handler.server.script.content)


PACKED = gzip.compress(bytes(1 << 24))


def packed(handler: Handler) -> None:
    handler.head(200, Content_Encoding="gzip", Content_Length=len(PACKED))
    handler.wfile.write(PACKED)


@pytest.mark.parametrize(
    ("behaviours", "reason"),
    [
        ((endless,), "it sends more than"),
        ((claims_terabytes,), "10000.0 GB"),
        ((cut, claims_a_part_of_terabytes), "10000.0 GB"),
        ((packed,), "it comes packed"),
    ],
)
def test_a_download_has_a_bound_whatever_the_server_says(
    behaviours: tuple[Callable[[Handler], None], ...],
    reason: str,
    get: Callable[..., Fetched],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch, "LARGEST", 8 << 20)
    with pytest.raises(ModelError, match=reason):
        get(*behaviours)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 8 << 20


def trickle(handler: Handler) -> None:
    serve(handler, upto=40_000)
    drop(handler)


def trickle_head(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Waiting: ")
    drop(handler)


def trickle_chunks(handler: Handler) -> None:
    handler.head(200, Transfer_Encoding="chunked")
    drop(handler, b"1\r\nx\r\n")


def trickle_then_end(handler: Handler) -> None:
    """Breaks off by itself, before a window is over: an endless row of attempts, each of which brings a byte."""
    handler.head(200, Content_Length=len(CONTENT), ETag='"one"')
    drop(handler, times=2)


def drop(handler: Handler, piece: bytes = b"x", times: int = 200) -> None:
    for _ in range(times):
        handler.wfile.write(piece)
        if handler.server.script.ended.wait(0.1):
            return


@pytest.mark.slow
@pytest.mark.parametrize("slow", [trickle, trickle_head, trickle_chunks, trickle_then_end])
def test_a_server_that_is_never_silent_and_never_done(
    slow: Callable[[Handler], None], get: Callable[..., Fetched], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "WINDOW", 0.5)
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"too slowly|broke off"):
        get(slow)
    assert time.monotonic() - began < 6
    assert fetch.ATTEMPTS <= len(server.ranges) <= fetch.ATTEMPTS + 1  # what came at once was worth one more
    assert get(serve).sha256 == SHA256


def test_a_slow_piece_costs_no_more_than_an_attempt(
    get: Callable[..., Fetched], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "WINDOW", 0.5)
    events: list[Event] = []
    assert get(trickle, serve, report=events.append).sha256 == SHA256
    assert server.ranges[1]
    assert any("it sends too slowly" in event.text for event in events if isinstance(event, Warned))


def test_a_length_that_is_no_number(get: Callable[..., Fetched]) -> None:
    with contextlib.suppress(ModelError):  # Python's own reader may refuse it
        assert get(claims_no_number).sha256 == SHA256


@pytest.mark.parametrize("url", ["http://[", "http://x:99999/", "http://", "ftp://x/y", "http:///x"])
def test_what_is_no_address(url: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no address"):
        fetch.fetch(url, tmp_path, silent)


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_dead_address_says_what_to_do(code: int, get: Callable[..., Fetched], server: Server) -> None:
    with pytest.raises(ModelError, match=f"HTTP status {code}") as failed:
        get(status(code))
    assert "--url" in failed.value.hint
    assert "--weights" in failed.value.hint
    assert len(server.ranges) == 1


def test_a_busy_server_is_asked_again_and_not_for_ever(get: Callable[..., Fetched], server: Server) -> None:
    assert get(status(500), status(503), serve).sha256 == SHA256
    get(serve).file.unlink()
    server.ranges.clear()
    with pytest.raises(ModelError, match="HTTP status 500"):
        get(status(500))
    assert len(server.ranges) == fetch.ATTEMPTS


def test_a_web_page_is_no_model(get: Callable[..., Fetched]) -> None:
    with pytest.raises(ModelError, match="web page"):
        get(page)


def test_the_hash_is_checked_before_it_is_kept(get: Callable[..., Fetched], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="SHA-256"):
        get(serve, sha256="0" * 64)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert get(serve, sha256=SHA256.upper()).sha256 == SHA256
    with pytest.raises(ModelError, match="expected was 1111"):
        get(serve, sha256="1" * 64)
    with pytest.raises(ModelError, match="is no SHA-256"):
        get(serve, sha256="abc")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "model.pickle", "ftp://host/x", "https://"])
def test_addresses_that_are_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no address"):
        fetch.fetch(url, tmp_path, silent)


def test_nobody_answers(tmp_path: Path) -> None:
    waits: list[float] = []
    events: list[Event] = []
    with pytest.raises(ModelError, match="refused"):
        fetch.fetch("http://127.0.0.1:9/model.pickle", tmp_path, events.append, sleep=waits.append)
    assert waits == sorted(waits)
    # It takes a while, which is told in a pipe, too.
    told = [event.text for event in events if isinstance(event, Warned)]
    assert told == [f"127.0.0.1: the connection was refused; again in {wait:.0f} s" for wait in waits]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_two_downloads_at_once_do_not_mix(get: Callable[..., Fetched], server: Server, tmp_path: Path) -> None:
    file = cache.cached_file(server.url, tmp_path)
    file.parent.mkdir(parents=True)
    with cache.alone(cache.part_of(file)), pytest.raises(ModelError, match="another process"):
        get(serve)
    assert get(serve).sha256 == SHA256
