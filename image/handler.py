"""The function's entry: HTTP in, a predictor's answer out. It knows pictures, and no model.

`GET /` is the web page; `POST /` with a picture is the prediction; `{}` or `{"warm": true}`, invoked
directly, makes the function ready. What a predictor is stands in `captioner/__init__.py`; the variable
`PREDICTOR` names it.

Every request leaves one line of JSON on stdout, which is the function's log: see `journal.py`.
"""

from __future__ import annotations

import os

# Has to come before numpy; the predictor's module may not think of it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from importlib import import_module
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Protocol, cast

from serving import journal, kinds, picture
from serving.gateway import HttpError, Response, error_response, event, json_response, request
from serving.journal import since

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL.Image import Image
    from serving.gateway import Request

METHODS = "GET, POST, OPTIONS"


class Predictor(Protocol):
    """What a predictor's module must have; `InvalidOptionError`, `about` and `measured` are optional."""

    def setup(self) -> None: ...

    def predict(self, image: Image, options: Mapping[str, str]) -> dict[str, object]: ...


predictor = cast("Predictor", import_module(os.environ.get("PREDICTOR", "captioner")))
_imported = perf_counter()
predictor.setup()
about: Mapping[str, Any] = getattr(predictor, "about", dict)()
measured: Callable[[], Mapping[str, object]] = getattr(predictor, "measured", dict)
# An empty tuple catches nothing: without the class, every exception of the predictor is a bug.
invalid_option: type[Exception] | tuple[()] = getattr(predictor, "InvalidOptionError", ())
_init_ms = since(journal.STARTED)
_setup_ms = since(_imported)
journal.write(
    event="init",
    model=about.get("model"),
    import_ms=round(_init_ms - _setup_ms, 1),
    setup_ms=_setup_ms,
    init_ms=_init_ms,
)

_cold = True
_warmed = False


def handler(api_event: object, context: object = None) -> dict[str, object]:
    """Lambda's entry. Answers API events, and direct invokes that ask for no more than to be ready."""
    global _cold
    started = perf_counter()
    entry: dict[str, object] = {"event": "request", "request_id": getattr(context, "aws_request_id", None)}
    entry["cold"], _cold = _cold, False
    if entry["cold"]:
        entry["init_ms"] = _init_ms
    if api_event in ({}, {"warm": True}):
        entry["event"] = "warm"
        answer = warm()
        entry["ms"] = since(started)
    else:
        response = answer_http(api_event, entry)
        entry["ms"] = since(started)
        answer = event(with_headers(response, {"Server-Timing": journal.server_timing(entry)}))
        # Where there is no function, as in tests, there is nobody to count for.
        if name := os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
            entry.update(journal.metrics(entry, name, time()))
    journal.write(**entry)
    return answer


def warm() -> dict[str, object]:
    """Predicts once for an empty picture: with a model that is mapped from disk, the first time reads it."""
    global _warmed
    started = perf_counter()
    if not _warmed:
        predictor.predict(picture.blank(), {})
        _warmed = True
    return {"warm": True, "model": about.get("model"), "ms": since(started)}


def answer_http(api_event: object, entry: dict[str, object]) -> Response:
    """The answer to any event, errors and bugs too. Adds to `entry` what the log should know."""
    try:
        response = respond(request(api_event), entry)
    except HttpError as error:
        entry["code"] = error.code
        response = error_response(error)
    except Exception:  # noqa: BLE001  a bug: the caller learns the request id, the log the rest
        import traceback

        entry["code"], entry["trace"] = "internal_error", traceback.format_exc()
        message = f"this is a bug: the log has more under request id {entry['request_id']}"
        response = error_response(HttpError(500, "internal_error", message))
    entry["status"] = response.status
    return with_cors(response, os.environ.get("CORS_ORIGIN") or "*")


def respond(http: Request, entry: dict[str, object]) -> Response:
    """Routes by method: the API has one resource. Raises `HttpError`."""
    entry["method"] = http.method[:20]
    match http.method:
        case "POST":
            return answer_picture(http, entry)
        case "GET":
            from serving.page import page  # what it imports no photo has to wait for

            return page(http, str(about.get("model", "")))
        case "OPTIONS":
            return Response(204)
        case other:
            raise HttpError(405, "method_not_allowed", f"{other[:20]} is not one of {METHODS}")


def answer_picture(http: Request, entry: dict[str, object]) -> Response:
    """The prediction for the body's picture. Raises `HttpError`."""
    check_body(http)
    entry["bytes"] = len(http.body)
    started = perf_counter()
    try:
        seen = picture.read(http.body, needed=about.get("image_size"))
    except picture.ImageTooLargeError as error:
        raise HttpError(413, "image_too_large", str(error)) from error
    except picture.UnsupportedImageError as error:
        entry["cause"] = error.cause
        raise HttpError(400, "unsupported_image", str(error)) from error
    finally:
        entry["decode_ms"] = since(started)
    entry.update(format=seen.format, size=seen.size, truncated=seen.truncated)
    started = perf_counter()
    try:
        answer = predictor.predict(seen.image, http.query)
    except invalid_option as error:
        raise HttpError(400, "invalid_parameter", str(error)) from error
    entry.update(measured(), predict_ms=since(started))
    # Who asks should know that a part of the picture was never seen.
    return json_response(200, {**answer, "truncated": True} if seen.truncated else answer)


def check_body(http: Request) -> None:
    """Tells apart the ways in which a body is no picture, since each has another remedy. Raises `HttpError`.

    The first bytes count for more than `Content-Type`: a picture that came through as bytes is taken whatever
    it is called. One that was sent as another type mostly did not: the gateway keeps `image/*` as bytes and
    makes text of all else, which no picture survives.
    """
    if not http.body:
        raise HttpError(400, "empty_body", "the body is empty: send a picture")
    is_image = http.content_type.startswith("image/")
    if http.binary and (is_image or kinds.sniff(http.body)):
        return
    if is_image:
        raise HttpError(400, "invalid_body", "the body came as text: the API lacks image/* as a binary type")
    hint = "send the picture's bytes as the body, with Content-Type: image/jpeg (or what it is)"
    raise HttpError(415, "unsupported_media_type", f"{http.content_type[:80] or 'no type'}: {hint}")


def with_cors(response: Response, origin: str) -> Response:
    """Lets pages of `origin` read the answer."""
    cors = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Server-Timing"}
    if origin != "*":
        cors["Vary"] = "Origin"
    if response.status in (204, 405):
        cors["Allow"] = METHODS
        cors["Access-Control-Allow-Methods"] = METHODS
        cors["Access-Control-Allow-Headers"] = "Content-Type, X-Api-Key"
        cors["Access-Control-Max-Age"] = "86400"
    return with_headers(response, cors)


def with_headers(response: Response, more: Mapping[str, str]) -> Response:
    """The answer with headers added."""
    return Response(response.status, response.body, {**response.headers, **more})
