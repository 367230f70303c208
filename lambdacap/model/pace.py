"""A download that goes on too slowly is ended, whichever part of the answer the server is slow with.

A timeout is for a silence. A server that sends a byte now and then, of a header or of a file, is never silent, and
would keep whoever asks for days.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool


class Pace:
    """Shuts the connections of its `session` as soon as fewer than `least` bytes came within `window` seconds.

    `came` is told of each piece; what was too slow is `slow`, and looks like a connection that broke off.
    """

    def __init__(self, least: int, window: float) -> None:
        self.slow = False
        self._least, self._window = least, window
        self._bytes = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self.session = requests.Session()
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _Adapter(self))

    def __enter__(self) -> Pace:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watch.join()
        self.session.close()
        for connection in self._sockets:
            connection.close()

    def came(self, count: int) -> None:
        self._bytes += count

    @property
    def futile(self) -> bool:
        """Whether nothing came so far, or too little for the time that it took; a moment is for the connection."""
        seconds = time.monotonic() - self._began - self._window / 12
        return not self._bytes or self._bytes < self._least * seconds / self._window

    def watch(self, connection: socket.socket) -> None:
        # A handle of our own: TLS takes the socket over, and a redirect closes it.
        with self._lock:
            self._sockets.append(connection.dup())

    def _look(self) -> None:
        before = 0
        while not self._ended.wait(self._window):
            if self._bytes - before < self._least:
                self.slow = True
                with self._lock:
                    for connection in self._sockets:
                        with contextlib.suppress(OSError):  # it has ended by itself
                            connection.shutdown(socket.SHUT_RDWR)
                return
            before = self._bytes


class _Adapter(HTTPAdapter):
    """requests' own, whose connections a `Pace` knows."""

    def __init__(self, pace: Pace) -> None:
        self._pools = {"http": _watched(HTTPConnectionPool, pace), "https": _watched(HTTPSConnectionPool, pace)}
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - requests' own
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - requests' own
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _watched(pool: type[HTTPConnectionPool], pace: Pace) -> type[HTTPConnectionPool]:
    """The pool, with connections that `pace` is told of as soon as they stand: before TLS and proxies speak."""
    plain: Any = pool.ConnectionCls

    class Connection(plain):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            connection: socket.socket = super()._new_conn()
            pace.watch(connection)
            return connection

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
