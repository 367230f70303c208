"""HTTP → the event that API Gateway makes of it for a function, and the function's result → HTTP: pure functions.

REST API's Lambda proxy integration:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

LIMIT = 6_291_556
"""Bytes of an event, and of a result (Lambda's quota for synchronous invocation)."""


@dataclass(frozen=True)
class Response:
    """What the gateway answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def event(method: str, path: str, query: str, headers: Sequence[tuple[str, str]], body: bytes) -> dict[str, object]:
    """The event of a request; `query` is as it came. All is binary, as `*/*` among the binary media types makes it."""
    queries: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        queries.setdefault(name, []).append(value)
    sent: dict[str, list[str]] = {}
    for name, value in headers:
        sent.setdefault(name, []).append(value)
    return {
        "httpMethod": method,
        "path": path,
        "headers": {name: values[-1] for name, values in sent.items()},
        "multiValueHeaders": sent,
        "queryStringParameters": {name: values[-1] for name, values in queries.items()} or None,
        "multiValueQueryStringParameters": queries or None,
        "body": b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
        "requestContext": {"httpMethod": method, "path": path, "stage": "local"},
    }


def is_too_large(made: Mapping[str, object]) -> bool:
    """Whether Lambda refuses the event."""
    body = made["body"]
    size = len(body) if isinstance(body, str) else 0
    return size + len(json.dumps({**made, "body": None})) > LIMIT


def response(result: object) -> Response:
    """The answer that a function's result says. Raises `ValueError` for one that the gateway would make a 502 of."""
    if not isinstance(result, Mapping) or not isinstance(result.get("statusCode"), int):
        raise ValueError("the function's result is no answer to a request")  # noqa: TRY004 - a wrong value
    body = str(result.get("body") or "")
    content = b64decode(body) if result.get("isBase64Encoded") else body.encode()
    headers = {str(name): str(value) for name, value in (result.get("headers") or {}).items()}
    return Response(result["statusCode"], headers, content)


def refused(status: int, code: str, message: str) -> Response:
    """An error in the form that the API has."""
    body = json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False).encode()
    return Response(status, {"Content-Type": "application/json"}, body)
