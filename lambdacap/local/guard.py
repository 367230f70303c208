"""The guard before MiniStack: whoever is on this machine, or in a browser on it, is not the user.

MiniStack takes requests from everybody and allows every origin. Only who knows the cloud's secret is let through to it:
requests signed with it, or with credentials that the cloud itself has handed out, as AWS would take them; and basic
authentication at the registry and at MiniStack's own pages. The addresses of deployed APIs are open, since that is
what they are for. What is not known to be allowed is refused, with 403.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Set
from typing import Protocol
from xml.sax.saxutils import escape

from lambdacap.local import secret, signature
from lambdacap.local.request import Application, Incoming, Receive, RefusedError, Request, Scope, Send

OURS = ("127.0.0.1", "localhost")
"""Names of this machine that no DNS server of somebody else's can claim (RFC 6761)."""
REGISTRY = "/v2/"
PAGES = "/_ministack/"
_ACCOUNT = re.compile(r"\d{12}")
_DRAINED = 1 << 20
"""Bytes of a refused body that are read, so that the answer arrives before the connection ends."""


class Cloud(Protocol):
    """What the guard asks MiniStack."""

    application: Application

    def is_deployed(self, host: str, path: str) -> bool:
        """Whether MiniStack sends the request to a stage of a deployed REST API."""

    def access_key(self, request: Request) -> str:
        """The access key that MiniStack would take the request to be from, or an empty text."""

    def secret_of(self, key: str, token: str) -> str | None:
        """The secret of credentials that the cloud has handed out, or None."""


class Guard:
    """Wraps MiniStack's application. `port` is where it listens, `names` what else than `OURS` it is called.

    `changed` is told of each request that may have changed something.
    """

    def __init__(
        self,
        cloud: Cloud,
        key: tuple[str, str],
        port: int,
        names: Set[str] = frozenset(),
        changed: Callable[[Request], None] = lambda _: None,
    ) -> None:
        self._cloud = cloud
        self._key, self._secret = key
        self._password = secret.registry_password(self._secret)
        self._port = port
        self._names = {*OURS, *names}
        self._changed = changed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] not in ("http", "websocket"):
            await self._cloud.application(scope, receive, send)
            return
        incoming = Incoming(receive)
        receive = incoming
        try:
            request = Request.of(scope)
            is_open = self._is_open(request)
            if not is_open:
                receive = await self._admit(request, incoming)
        except RefusedError as error:
            await _refuse(scope, incoming, send, error)
            return
        await self._cloud.application(scope, receive, send if is_open else _without_cors(send))
        if not is_open:
            self._changed(request)

    def _is_open(self, request: Request) -> bool:
        """Whether it goes to a deployed API with no credentials of AWS's. Raises `RefusedError` for a foreign Host."""
        host = request.header("host").lower()
        name, _, port = host.partition(":")
        if name not in self._names or not port.isdigit():
            raise RefusedError("this server does not go by that name")
        return (
            request.is_http
            and name in OURS
            and int(port) == self._port
            and self._cloud.is_deployed(host, request.path)
            and not self._cloud.access_key(request)
        )

    async def _admit(self, request: Request, receive: Receive) -> Receive:
        # Browsers tell where a page comes from that has them send something.
        origin, site = request.header("origin"), request.header("sec-fetch-site")
        if "origin" in request.headers and origin != f"http://{request.header('host')}":
            raise RefusedError("pages of other origins may not ask here")
        if site not in ("", "none", "same-origin"):
            raise RefusedError("pages of other sites may not ask here")
        if self._has_password(request):
            return receive
        return await signature.check(request, receive, self._secret_of)

    def _has_password(self, request: Request) -> bool:
        """Whether basic authentication opens the path; raises `RefusedError` for a wrong password there."""
        registry = request.path == REGISTRY.rstrip("/") or request.path.startswith(REGISTRY)
        if not request.is_http or not (registry or request.path.startswith(PAGES)):
            return False
        kind, _, value = request.header("authorization").partition(" ")
        if registry and not kind and not self._cloud.access_key(request):
            raise ChallengedError("the registry wants basic authentication")
        if kind.lower() != "basic":
            return False
        try:
            user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, password = "", ""
        known = [self._secret, self._password] if registry else [self._secret]
        if user != secret.REGISTRY_USER or True not in [secret.same(password, one) for one in known]:
            raise RefusedError("the password is wrong")
        return True

    def _secret_of(self, key: str, token: str) -> str | None:
        # A number is the root of the account of that number, as MiniStack has it; it would not look at the secret.
        if key == self._key or _ACCOUNT.fullmatch(key):
            return None if token else self._secret
        return self._cloud.secret_of(key, token)


class ChallengedError(RefusedError):
    """Asks for the password: container engines send none before."""


def _without_cors(send: Send) -> Send:
    """MiniStack allows every page to read its answers."""

    async def sending(message: dict[str, object]) -> None:
        if "headers" in message:
            headers: list[tuple[bytes, bytes]] = list(message["headers"])  # type: ignore[call-overload]
            kept = [pair for pair in headers if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return sending


async def _refuse(scope: Scope, incoming: Incoming, send: Send, error: RefusedError) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted, that is 403
        return
    size = 0
    while not incoming.ended and size < _DRAINED:
        size += len((await incoming()).get("body", b""))
    headers, body = _words(scope, error)
    headers.append((b"content-length", str(len(body)).encode()))
    status = 401 if isinstance(error, ChallengedError) else 403
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _words(scope: Scope, error: RefusedError) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The error as the protocol has it that the request seems to speak: the SDKs read no other."""
    if isinstance(error, ChallengedError):
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": error.message}]})
        challenge = (b"www-authenticate", b'Basic realm="lambdacap", charset="UTF-8"')
        return [challenge, (b"content-type", b"application/json")], body.encode()
    sent = dict(scope["headers"])
    inner = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    if b"/s3/" in sent.get(b"authorization", b"") or b"%2Fs3%2F" in scope["query_string"]:
        return [(b"content-type", b"application/xml")], inner.encode()
    if sent.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
        return [(b"content-type", b"text/xml")], f"<ErrorResponse>{inner}</ErrorResponse>".encode()
    body = json.dumps({"__type": error.code, "message": error.message})
    return [(b"content-type", b"application/json"), (b"x-amzn-errortype", error.code.encode())], body.encode()
