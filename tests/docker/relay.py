"""Between lambdacap and a real engine: answers one of its calls with an error, or dies in the middle of it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_REQUEST = re.compile(rb"(?:GET|POST|DELETE|HEAD|PUT) (?:/v[\d.]+)?(\S+) HTTP")


@dataclass
class Relay:
    """`call` is a pattern of the paths that are meant.

    With `message` they are answered by a 500 that says so. Otherwise, as soon as their answer holds `until`, every
    connection breaks, and none is taken any more.
    """

    call: str
    message: str = ""
    until: bytes = b""
    host: str = ""
    dead: threading.Event = field(default_factory=threading.Event)


@contextmanager
def relay(engine: str, call: str, *, message: str = "", until: bytes = b"") -> Iterator[Relay]:
    """A relay to the engine at `engine`, a Unix socket; `host` is what DOCKER_HOST has to be."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        port = listener.getsockname()[1]
        relayed = Relay(call, message, until, f"tcp://127.0.0.1:{port}")

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not relayed.dead.is_set():
                    client, _ = listener.accept()
                    stack.callback(_close, client)
                    upstream = stack.enter_context(socket.socket(socket.AF_UNIX))
                    upstream.connect(engine.removeprefix("unix://"))
                    threading.Thread(target=_converse, args=(relayed, client, upstream), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield relayed
        finally:
            relayed.dead.set()
            _close(listener)
            thread.join()


def _converse(relayed: Relay, client: socket.socket, upstream: socket.socket) -> None:
    meant = threading.Event()

    def answer() -> None:
        with contextlib.suppress(OSError):
            while data := upstream.recv(1 << 16):
                if relayed.dead.is_set():
                    break
                client.sendall(data)
                if meant.is_set() and not relayed.message and relayed.until in data:
                    relayed.dead.set()
                    break
        _close(client)

    threading.Thread(target=answer, daemon=True).start()
    with contextlib.suppress(OSError):
        while (data := client.recv(1 << 16)) and not relayed.dead.is_set():
            request = _REQUEST.match(data)
            if request and re.search(relayed.call, request[1].decode()):
                meant.set()
                if relayed.message:
                    body = json.dumps({"message": relayed.message}).encode()
                    head = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
                    client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                    continue
            upstream.sendall(data)
    _close(upstream)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
