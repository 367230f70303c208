"""API Gateway's events and answers: event → `Request`, `Response` → event, both pure functions.

The format is REST API's Lambda proxy integration:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class HttpError(Exception):
    """An answer other than 200: `status`, a `code` for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. Header names are in lower case; of repeated headers and parameters the last counts."""

    method: str
    path: str  # below the stage
    headers: Mapping[str, str]
    query: Mapping[str, str]
    queries: Mapping[str, tuple[str, ...]]  # all values of each parameter
    body: bytes
    binary: bool  # whether the gateway took the body for bytes, and did not make text of it

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case; "" without the header."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Response:
    """What goes out: text, or bytes as they are."""

    status: int
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def request(event: object) -> Request:
    """Reads an API event. Raises `HttpError` when it is something else, or the body not what it says it
    is."""
    if not isinstance(event, dict) or not isinstance(event.get("httpMethod"), str):
        raise HttpError(400, "invalid_event", 'invoke with an API Gateway event, or with {"warm": true}')
    body = event.get("body") or ""
    binary = event.get("isBase64Encoded") is True
    if not isinstance(body, str):
        raise HttpError(400, "invalid_body", "the event's body is not text")
    if binary:
        try:
            data = a2b_base64(body, strict_mode=True)
        except (Base64Error, ValueError) as error:
            raise HttpError(400, "invalid_body", f"the event's body is not base64: {error}") from error
    else:
        # JSON may carry lone surrogates, which UTF-8 cannot.
        data = body.encode("utf-8", "replace")
    queries = _all(event, "queryStringParameters", "multiValueQueryStringParameters")
    return Request(
        method=event["httpMethod"].upper(),
        path=str(event.get("path") or "/"),
        headers={name.lower(): value for name, value in _last(event, "headers", "multiValueHeaders").items()},
        query={name: values[-1] for name, values in queries.items()},
        queries=queries,
        body=data,
        binary=binary,
    )


def event(response: Response) -> dict[str, object]:
    """Writes the answer in the form that API Gateway takes."""
    binary = isinstance(response.body, bytes)
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": b2a_base64(response.body, newline=False).decode()
        if isinstance(response.body, bytes)
        else response.body,
        "isBase64Encoded": binary,
    }


def json_response(status: int, value: Mapping[str, object]) -> Response:
    """An answer in JSON, in UTF-8 as it is."""
    return Response(
        status, json.dumps(value, ensure_ascii=False, allow_nan=False), {"Content-Type": "application/json"}
    )


def error_response(error: HttpError) -> Response:
    """`{"error": {"code": …, "message": …}}` with the error's status."""
    return json_response(error.status, {"error": {"code": error.code, "message": str(error)}})


def _last(event: Mapping[str, Any], single: str, multiple: str) -> dict[str, str]:
    return {name: values[-1] for name, values in _all(event, single, multiple).items()}


def _all(event: Mapping[str, Any], single: str, multiple: str) -> dict[str, tuple[str, ...]]:
    # The gateway sends both forms, tests in consoles often one. Either may be null.
    lists, values = event.get(multiple) or {}, event.get(single) or {}
    if not isinstance(lists, dict) or not isinstance(values, dict):
        raise HttpError(400, "invalid_event", f"the event's {single} are not an object")
    found = {name: tuple(map(str, listed)) for name, listed in lists.items() if isinstance(listed, list) and listed}
    return {name: (str(value),) for name, value in values.items() if name not in found} | found
