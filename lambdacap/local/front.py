"""What listens for `lambdacap serve`: HTTP on 127.0.0.1 → events.

Pages of other origins and names of this machine that others may claim are refused, as the local cloud's guard does it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from typing import cast

from lambdacap.errors import LocalCloudError
from lambdacap.local import event as gateway
from lambdacap.local.event import Response
from lambdacap.local.guard import OURS
from lambdacap.local.request import Receive, RefusedError, Request, Scope, Send

Answering = Callable[[Mapping[str, object]], Response]
LARGEST = 10_485_760
"""Bytes of a request's body that API Gateway takes."""
_DROPPED = {"content-length", "connection", "transfer-encoding", "cache-control"}


class Front:
    """An ASGI application that `answers` events; `port` is where it listens."""

    def __init__(self, answers: Answering, port: int) -> None:
        self._answers = answers
        self._hosts = {f"{name}:{port}" for name in OURS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        body = await _body(receive)
        try:
            request = Request.of(scope)
            self._admit(request)
        except RefusedError as error:
            await _answer(send, scope, gateway.refused(403, "forbidden", error.message))
            return
        headers = [(name, value) for name, values in request.headers.items() for value in values]
        event = gateway.event(request.method, request.path, request.raw_query, headers, body or b"")
        if body is None or gateway.is_too_large(event):
            words = f"Lambda takes {gateway.LIMIT / 1e6:.1f} MB of request, in which a file is a third larger"
            await _answer(send, scope, gateway.refused(413, "too_large", words))
            return
        await _answer(send, scope, await asyncio.to_thread(self._answers, event))

    def _admit(self, request: Request) -> None:
        """Raises `RefusedError` for what a page of somebody else's sends, or who has another name for this machine."""
        host = request.header("host").lower()
        if host not in self._hosts:
            raise RefusedError("this server does not go by that name")
        if "origin" in request.headers and request.header("origin") != f"http://{host}":
            raise RefusedError("pages of other origins may not ask here")
        if request.header("sec-fetch-site") not in ("", "none", "same-origin"):
            raise RefusedError("pages of other sites may not ask here")


def listening(port: int) -> socket.socket:
    """A socket on 127.0.0.1; 0 is any free port. Raises `LocalCloudError` when the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(100)  # who comes before all is ready waits
    except OSError as error:
        listener.close()
        raise LocalCloudError(
            f"port {port} of 127.0.0.1 cannot be listened on: {error.strerror}",
            hint="--port names another one; --port 0 takes any that is free.",
        ) from error
    return listener


async def listen(front: Front, listener: socket.socket, stopped: asyncio.Event) -> None:
    """Answer until `stopped` is set."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.typing import ASGIFramework

    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]  # Hypercorn closes it
    config.loglevel = "CRITICAL"
    config.graceful_timeout = 1.0
    await serve(cast("ASGIFramework", front), config, shutdown_trigger=stopped.wait)


async def _body(receive: Receive) -> bytes | None:
    """All of it; None when it is larger than the gateway takes, whose rest is read and dropped."""
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        piece = message.get("body", b"")
        size += len(piece)
        if size <= LARGEST:
            pieces.append(piece)
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(pieces) if size <= LARGEST else None


async def _answer(send: Send, scope: Scope, said: Response) -> None:
    """Nothing is kept by a browser: the next saved change is another page."""
    kept = [(name, value) for name, value in said.headers.items() if name.lower() not in _DROPPED]
    kept += [("content-length", str(len(said.body))), ("cache-control", "no-store")]
    headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in kept]
    await send({"type": "http.response.start", "status": said.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else said.body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
