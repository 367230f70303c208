"""Connections that are too slow are shut, wherever they are in what they say."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from lambdacap.model.pace import Pace
from tests import processes

TLS = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
"""The head of a record of 16 kB, which holds the head of a handshake's message."""


@pytest.fixture
def dripping(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that sends the bytes it is given, and then one more every now and then."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(request.param)
                for _ in range(1000):
                    connection.sendall(b"x")
                    if ended.wait(0.02):
                        return

        thread = threading.Thread(target=answer)
        thread.start()
        yield int(listener.getsockname()[1])
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("dripping", "scheme"),
    [(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", "http"), (b"HTTP/1.1 200 OK\r\nA: ", "http"), (TLS, "https")],
    ids=["body", "head", "TLS"],
    indirect=["dripping"],
)
@pytest.mark.parametrize("through", ["", "a proxy"])
def test_it_ends(dripping: int, scheme: str, through: str) -> None:
    server = f"127.0.0.1:{dripping}"
    url, proxies = (
        (f"{scheme}://models.example/x", {scheme: f"http://{server}"}) if through else (f"{scheme}://{server}/x", {})
    )
    began = time.monotonic()
    with processes.nothing_stays_open(), Pace(1000, 0.4) as pace:
        pace.session.trust_env = False
        with contextlib.suppress(requests.RequestException):  # or a head that ends, as it seems
            assert not pace.session.get(url, timeout=10, proxies=proxies).content
        assert time.monotonic() - began < 3
        assert pace.slow
        assert pace.futile


def test_who_is_fast_enough_is_left_alone() -> None:
    with Pace(100, 0.1) as pace:
        for _ in range(5):
            pace.came(200)
            time.sleep(0.06)
        assert not pace.slow
        assert not pace.futile
