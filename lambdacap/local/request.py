"""An HTTP or WebSocket request as the guard of the local cloud looks at it, before its body has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""ASGI's (its specification, version 3)."""

_SINGLE = {
    *("host", "origin", "authorization", "content-length", "date", "sec-fetch-site"),
    *("x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-target"),
}
"""Headers that decide who asks and for what: two of one would be two answers."""


class RefusedError(Exception):
    """The request is none of the user's. `code` is AWS's for it."""

    def __init__(self, message: str, code: str = "AccessDeniedException") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True)
class Request:
    """`path` is decoded once, as MiniStack routes by it; `raw_path` and `raw_query` are as they came.

    `headers` are by lower-case name, in the order in which they came.
    """

    method: str
    path: str
    raw_path: str
    raw_query: str
    headers: dict[str, list[str]]
    is_http: bool

    @classmethod
    def of(cls, scope: Scope) -> Request:
        """Raises `RefusedError` for one that could be read in two ways."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(_text(value))
        doubled = sorted(name for name in _SINGLE if len(headers.get(name, [])) > 1)
        raw_path = (scope.get("raw_path") or b"").decode("latin-1")
        raw_query = scope.get("query_string", b"").decode("latin-1")
        if doubled:
            raise RefusedError(f"the header {doubled[0]} is there twice")
        if not raw_path.startswith("/") or "#" in raw_path + raw_query:
            raise RefusedError("the request's target is no path of this server")
        is_http = scope["type"] == "http"
        method = scope["method"] if is_http else "GET"
        return cls(method, scope["path"], raw_path, raw_query, headers, is_http)

    def header(self, name: str) -> str:
        """The header's value as MiniStack reads it; empty when it is not there."""
        return ", ".join(self.headers.get(name, []))

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.raw_query, keep_blank_values=True)


class Incoming:
    """A `receive` that knows whether all of the request has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message


async def body_of(receive: Receive, limit: int | None = None) -> tuple[bytes, Receive]:
    """The whole body, and a `receive` that tells it once more. Raises `RefusedError` over `limit` bytes."""
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise RefusedError("the request broke off")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        more = message.get("more_body", False)
        if limit is not None and size > limit:
            raise RefusedError(f"a body of more than {limit >> 20} MB needs the header x-amz-content-sha256")
    body = b"".join(pieces)
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
