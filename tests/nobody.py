"""Addresses where nobody answers, or not as one hoped."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def dead_socket(folder: Path) -> Path:
    """A socket's file, left by somebody who listens no more."""
    path = folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    return path


def dead_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def full_queue(address: str | tuple[str, int]) -> Iterator[None]:
    """A server that listens at a Unix path or (host, port), and never takes a connection: its queue is full."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as server, socket.socket(family) as first, socket.socket(family) as second:
        server.bind(address)
        server.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield


@contextmanager
def hangs_up(path: Path, said: bytes = b"") -> Iterator[None]:
    """A server at a Unix socket that says `said` to everybody, whatever was asked, and hangs up."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # shut down below
                    return
                with connection, contextlib.suppress(ConnectionError):
                    if said and connection.recv(65536):
                        connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
