"""The function's entry: HTTP in, a predictor's answer out. It knows no model.

`POST /` is the prediction; `GET /` is the web page, `GET /openapi.json` says what a request may hold; `{}` or
`{"warm": true}`, invoked directly, makes the function ready. A predictor is the module that the variable `PREDICTOR`
names, else `predictor`, else the captioner: see `serving/contract.py`.

Every request leaves one line of JSON on stdout, which is the function's log: see `journal.py`.
"""

from __future__ import annotations

import os

# Has to come before numpy; the predictor's module may not think of it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from serving import inputs, journal, outputs
from serving.contract import contract
from serving.gateway import HttpError, Request, Response, error_response, event, json_response, request
from serving.inputs.uploads import Files
from serving.journal import since
from serving.wire import is_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

METHODS = "GET, POST, OPTIONS"


# Which folder this is, its content says: without Docker nobody reads a Dockerfile.
_default = "predictor" if find_spec("predictor") else "captioner"
journal.watch()
predictor = import_module(os.environ.get("PREDICTOR", _default))
_imported = perf_counter()
contract_ = contract(predictor)
if hasattr(predictor, "setup"):
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
    journal.watch()
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
    """Predicts once, since a model that is mapped from disk is read by its first use: for the first file in
    `examples/` (see `serving/example.py`), or as the predictor's own `warm()` does it. Raises what the predictor
    raises, and `ExampleError` for what a caller would be refused.
    """
    global _warmed
    started = perf_counter()
    if not _warmed:
        if hasattr(predictor, "warm"):
            predictor.warm()
        else:
            try_example()
        _warmed = True
    return {"warm": True, "model": about.get("model"), "ms": since(started)}


def try_example() -> None:
    """Predict for the project's example, if it has one, and write the answer as a caller's would be."""
    from serving import example

    found = example.find(contract_)
    if found is None:
        return
    try:
        predict(example.request(found, contract_), {})
    except (HttpError, outputs.AnswerError) as error:
        raise example.ExampleError(f"{found} gets no answer: {error}") from error


def answer_http(api_event: object, entry: dict[str, object]) -> Response:
    """The answer to any event, errors and bugs too. Adds to `entry` what the log should know."""
    try:
        response = respond(request(api_event), entry)
    except HttpError as error:
        entry["code"] = error.code
        response = error_response(error)
    except outputs.AnswerError as error:
        entry["code"] = "invalid_answer"
        response = error_response(HttpError(500, "invalid_answer", str(error)))
    except Exception:  # noqa: BLE001  a bug: the caller learns the request id, the log the rest
        import traceback

        entry["code"], entry["trace"] = "internal_error", traceback.format_exc()
        message = f"this is a bug: the log has more under request id {entry['request_id']}"
        response = error_response(HttpError(500, "internal_error", message))
    entry["status"] = response.status
    return with_cors(response, os.environ.get("CORS_ORIGIN") or "*")


def respond(http: Request, entry: dict[str, object]) -> Response:
    """Routes by method and path. Raises `HttpError`."""
    entry["method"] = http.method[:20]
    match http.method:
        case "POST":
            return predict(http, entry)
        case "GET" if http.path.endswith("/openapi.json"):
            from serving.openapi import document

            return json_response(200, document(contract_))
        case "GET":
            from serving.page import page  # what it imports no photo has to wait for

            return page(http, str(about.get("model", "")), contract_)
        case "OPTIONS":
            return Response(204)
        case other:
            raise HttpError(405, "method_not_allowed", f"{other[:20]} is not one of {METHODS}")


def predict(http: Request, entry: dict[str, object]) -> Response:
    """The prediction for a request. Raises `HttpError` for what is the caller's fault."""
    entry["bytes"] = len(http.body)
    with Files(entry, about.get("image_size")) as files:
        arguments = inputs.arguments(http, contract_, files)
        started = perf_counter()
        try:
            answer = predictor.predict(**arguments)
            if entry.get("truncated") and isinstance(answer, dict):
                # Who asks should know that a part of the picture was never seen.
                answer = {**answer, "truncated": True}
            written = outputs.response(answer, http.headers.get("accept", ""), sound=is_sound(contract_.answer))
        except invalid_option as error:
            raise HttpError(400, "invalid_parameter", str(error)) from error
        except ValueError as error:
            if not own(error.__traceback__):
                raise
            raise HttpError(400, "invalid_input", str(error)[:1000]) from error
    entry.update(measured(), predict_ms=since(started))
    return written


def own(trace: TracebackType | None) -> bool:
    """Whether an exception was raised by the project's own code, and not within a library: it speaks to the caller."""
    from importlib.metadata import packages_distributions

    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    file, here = Path(trace.tb_frame.f_code.co_filename).resolve(), Path(predictor.__file__ or "").resolve()
    root = here.parent.parent if here.name == "__init__.py" else here.parent
    if not file.is_relative_to(root) or "site-packages" in file.relative_to(root).parts:
        return False
    # In an image libraries lie beside the project's modules.
    top = file.relative_to(root).parts[0].removesuffix(".py")
    return top not in packages_distributions() and top not in ("serving", "handler")


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
