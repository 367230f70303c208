"""A request → the arguments of `predict`, checked: what is wrong is told before the model is called.

The first input comes as the body in its own media type and the others as query parameters, or all as a form, or all as
one JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from serving.contract import LEGACY
from serving.gateway import HttpError
from serving.inputs import text
from serving.inputs.parsed import as_json, may_be_whole
from serving.wire import Upload, built, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.contract import Contract, Input
    from serving.gateway import Request
    from serving.inputs.uploads import Files

FORM, ENCODED, JSON, BYTES = (
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "application/json",
    "application/octet-stream",
)


def arguments(http: Request, contract: Contract, files: Files) -> dict[str, Any]:
    """The arguments for `contract.predict`. Raises `HttpError`."""
    parts = {name: given.wire for name, given in contract.inputs.items()}
    if contract.legacy:
        return {**built(_checked(_body(http, contract, {}), contract), parts, files), LEGACY: dict(http.query)}
    query = _query(http, contract)
    if http.content_type == JSON:
        value = _json(http.body, query, contract)
    elif http.content_type in (FORM, ENCODED):
        from serving.inputs import form

        given = form.fields(http, contract)
        if not query.keys().isdisjoint(given):  # what the query replaces is checked, too
            _checked({**query, **given}, contract)
        value = _checked({**given, **query}, contract)
    else:
        value = _checked({**_body(http, contract, query), **query}, contract)
    return built(value, parts, files)


def _json(body: bytes, query: Mapping[str, Any], contract: Contract) -> msgspec.Struct:
    try:
        if not query:
            try:
                return msgspec.json.decode(body, type=contract.request, dec_hook=decode)
            except msgspec.ValidationError as error:
                if not may_be_whole(error):
                    raise

        def check(given: Any) -> msgspec.Struct:  # noqa: ANN401 - JSON
            given = msgspec.convert(given, dict[str, Any])
            if not query.keys().isdisjoint(given):  # what the query replaces is checked, too
                msgspec.convert({**query, **given}, contract.request, dec_hook=decode)
            return msgspec.convert({**given, **query}, contract.request, dec_hook=decode)

        return as_json(body, check)[1]
    except msgspec.ValidationError as error:
        raise _invalid(error, contract) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HttpError(400, "invalid_json", f"the body is no JSON: {error}") from error
    except RecursionError as error:
        raise HttpError(400, "invalid_json", "the body's JSON is nested too deep") from error


def _body(http: Request, contract: Contract, query: Mapping[str, Any]) -> dict[str, Any]:
    """The first input, as the body."""
    first = contract.first
    if first is None:
        if http.body:
            raise HttpError(400, "invalid_body", "nothing is taken as a body")
        return {}
    if not http.body and (first.name in query or (first.kind == "value" and not http.content_type)):
        return {}
    if first.kind == "value":
        raise HttpError(415, "unsupported_media_type", f"{_said(http)}: {_how(contract)}")
    if not http.body:
        return _empty(first, contract)
    if first.kind == "text":
        if http.content_type not in ("", "text/plain"):
            raise HttpError(415, "unsupported_media_type", f"{_said(http)}: {_how(contract)}")
        return {first.name: text.read(http)}
    return {first.name: _upload(http, first)}


def _empty(first: Input, contract: Contract) -> dict[str, Any]:
    if first.required:
        what = {"picture": "a picture", "sound": "sound", "file": "a file", "text": "text"}[first.kind]
        raise HttpError(400, "empty_body", f"the body is empty: send {what}; {_how(contract)}")
    return {}


def _upload(http: Request, first: Input) -> Upload:
    """The body as a file. Raises `HttpError` when it is none of the wanted kind, or came as text.

    The first bytes count for more than `Content-Type`. What the gateway took for text is spoilt.
    """
    from serving.inputs import sniff

    wanted, kind = first.kind, http.content_type
    if wanted == "file":
        if not http.binary and not (kind.startswith("text/") or http.body.isascii()):
            raise HttpError(400, "invalid_body", "the body came as text: the API lacks */* as a binary type")
        return Upload(http.body, kind)
    family = {"picture": "image/", "sound": "audio/"}[wanted]
    if http.binary and (kind.startswith(family) or sniff.kind(http.body) == wanted):
        return Upload(http.body, kind)
    if kind.startswith(family):
        raise HttpError(400, "invalid_body", f"the body came as text: the API lacks {family}* as a binary type")
    example = {"picture": "image/jpeg", "sound": "audio/wav"}[wanted]
    hint = f"send the {wanted}'s bytes as the body, with Content-Type: {example} (or what it is)"
    raise HttpError(415, "unsupported_media_type", f"{_said(http)}: {hint}")


def _said(http: Request) -> str:
    return http.content_type[:80] or "no type"


def _query(http: Request, contract: Contract) -> dict[str, Any]:
    """The query parameters, as JSON would hold them: they go before what the body says. Raises `HttpError`."""
    if not http.queries:
        return {}
    from serving.inputs import form

    found = {}
    for name, values in http.queries.items():
        if name not in contract.inputs:
            raise HttpError(400, "invalid_parameter", _unknown(name, contract))
        given = contract.inputs[name]
        try:
            checked = msgspec.convert(
                {name: form.value(given, list(values))}, given.alone, strict=False, dec_hook=decode
            )
        except msgspec.ValidationError as error:
            raise _invalid(error, contract) from error
        found[name] = msgspec.to_builtins(getattr(checked, name), enc_hook=encode)
    return found


def _checked(given: Mapping[str, Any], contract: Contract) -> msgspec.Struct:
    """What came as text, as the struct; JSON within it was parsed already."""
    try:
        return msgspec.convert(given, contract.request, strict=False, dec_hook=decode)
    except msgspec.ValidationError as error:
        raise _invalid(error, contract) from error


# What is wrong is put into words by a module that requests without fault do not need.
def _how(contract: Contract) -> str:
    from serving.inputs.words import how

    return how(contract)


def _unknown(name: str, contract: Contract) -> str:
    from serving.inputs.words import unknown

    return unknown(name, contract)


def _invalid(error: msgspec.ValidationError, contract: Contract) -> HttpError:
    from serving.inputs.words import told

    return HttpError(400, "invalid_parameter", told(str(error), contract))
