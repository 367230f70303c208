"""The API's description by the OpenAPI Specification 3.1.1: https://spec.openapis.org/oas/v3.1.1.html."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec

from serving.contract import Contract, Input, core, is_generator
from serving.outputs import PICTURES
from serving.wire import PictureUpload, SoundUpload, Upload, is_picture, is_sound

_REF = "#/components/schemas/{name}"
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}
_MEDIA = {"picture": "image/*", "sound": "audio/*", "file": "application/octet-stream", "text": "text/plain"}
_FAULTS = {
    "400": "The request is wrong; the message says what would do.",
    "413": "The request or the answer is too large.",
    "415": "The body is of a type that is not taken.",
    "500": "The predictor failed.",
}
_GATEWAYS = {
    "403": "A key or a signature is missing.",
    "429": "Too many requests at once, or the key's quota is used up.",
    "502": "The function failed.",
    "503": "The function is not available.",
    "504": "The function takes longer than the gateway waits.",
}
"""What the gateway answers by itself, in a form of its own."""
_MESSAGE = {"type": "object", "properties": {"message": {"type": ["string", "null"]}}}


@cache
def document(contract: Contract) -> dict[str, Any]:
    """The OpenAPI document: what a request may hold, and what it gets. Made once, and not to be changed."""
    (_, *_), components = msgspec.json.schema_components([contract.request], schema_hook=_upload, ref_template=_REF)
    request = components["Request"]
    for name, given in contract.inputs.items():
        schema = request["properties"][name]
        if given.description:
            schema = request["properties"][name] = {**schema, "description": given.description}
        if not given.required and (default := _default(given.default)) is not None:
            request["properties"][name] = {**schema, "default": default}
    content, media = _answer(contract.answer, components)
    error = {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}
    message = {"application/json": {"schema": _MESSAGE}}
    answers = {
        "200": {"description": "The prediction.", "content": dict.fromkeys(media, content)},
        **{status: {"description": words, "content": error} for status, words in _FAULTS.items()},
        **{status: {"description": words, "content": message} for status, words in _GATEWAYS.items()},
    }
    operation = {
        "operationId": "predict",
        "summary": contract.title,
        "description": contract.description,
        "parameters": [] if contract.legacy else _query(contract, request),
        "requestBody": {
            "required": any(i.required for i in contract.inputs.values()),
            "content": _bodies(contract, request),
        },
        "responses": answers,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": contract.title or "predictor", "version": "1", "description": contract.description},
        "servers": [{"url": "."}],
        "paths": {"/": {"post": operation}},
        "components": {"schemas": {**components, "Error": _ERROR}},
    }


def _bodies(contract: Contract, request: dict[str, Any]) -> dict[str, Any]:
    first = contract.first
    raw = {}
    # What else must be given comes in the query then, of which no schema can say so.
    if first and first.kind in _MEDIA and not any(i.required for i in contract.inputs.values() if i is not first):
        text = request["properties"][first.name] if first.kind == "text" else {}
        raw = {_MEDIA[first.kind]: {"schema": {**text, "minLength": max(1, text.get("minLength", 1))}}}
    if contract.legacy:
        return raw
    form = {**request, "properties": {name: _as_text(s) for name, s in request.get("properties", {}).items()}}
    for name, given in contract.inputs.items():
        if given.kind in ("picture", "sound", "file"):
            form["properties"][name] = {"type": "string", "contentMediaType": _MEDIA[given.kind]}
        elif _is_list(given.wire.type):
            form["properties"][name] = _list_in_form(form["properties"][name], given)
    form.pop("title", None)
    in_json = {
        name: {"contentType": "application/json"}
        for name, given in contract.inputs.items()
        if given.kind == "value" and not _is_plain(given.wire.type)
    }
    encoding = {"encoding": in_json} if in_json else {}
    return {
        **raw,
        "application/json": {"schema": {"$ref": _REF.format(name="Request")}},
        "multipart/form-data": {"schema": form, **encoding},
    }


def _query(contract: Contract, request: dict[str, Any]) -> list[dict[str, Any]]:
    """What may come in the query: all that is no file and may be left out. What may not must be in a body, or is it."""
    found = []
    for number, (name, given) in enumerate(contract.inputs.items()):
        if given.required or (number == 0 and given.kind != "value") or given.kind in ("picture", "sound", "file"):
            continue
        schema = _as_text(request["properties"][name])
        place = (
            {"schema": schema} if _is_plain(given.wire.type) else {"content": {"application/json": {"schema": schema}}}
        )
        found.append({"name": name, "in": "query", "required": False, **place})
    return found


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema where values come as text: 1 and 0 are true and false, too."""
    return (
        {**schema, "type": ["boolean", "integer"], "enum": [True, False, 1, 0]}
        if schema.get("type") == "boolean"
        else schema
    )


def _list_in_form(schema: dict[str, Any], given: Input) -> dict[str, Any]:
    """One item is a list there, too, and an empty list is one that is not named."""
    listed = {**schema, "minItems": max(1, schema.get("minItems", 1))} if given.required else schema
    return {"anyOf": [listed, schema["items"]]} if "items" in schema and _is_plain(given.wire.type) else listed


def _is_list(hint: Any) -> bool:  # noqa: ANN401 - a type
    return (get_origin(core(hint)) or core(hint)) in (list, set, frozenset)


def _is_plain(hint: Any) -> bool:  # noqa: ANN401 - a type
    """Whether a query says it as it is: a scalar, or a list of such, whose items are given one by one."""
    kind = core(hint)
    origin, arguments = get_origin(kind), get_args(kind)
    if _is_list(hint) and arguments:
        return _is_plain(arguments[0]) and not _is_list(arguments[0])
    return origin is Literal or (
        isinstance(kind, type)
        and not issubclass(kind, (msgspec.Struct, dict, list, tuple, set, Upload))
        and kind is not object
    )


def _answer(hint: Any, components: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:  # noqa: ANN401
    """The answer's schema, and the media types in which it comes."""
    from pathlib import Path

    hint = core(hint)
    if is_picture(hint):
        return {}, tuple(PICTURES)
    if is_sound(hint):
        return {}, ("audio/wav",)
    if hint in (bytes, bytearray) or (isinstance(hint, type) and issubclass(hint, Path)):
        return {}, ("application/octet-stream",)
    if is_generator(hint):
        hint = list[get_args(hint)[0]]  # type: ignore[misc]
    try:
        (schema,), more = msgspec.json.schema_components([hint], schema_hook=_hook, ref_template=_REF)
    except (TypeError, NotImplementedError):  # a hint that only the author's tools understand: any JSON
        return {"schema": {}}, ("application/json",)
    renamed = json.dumps(schema)
    for name, made in more.items():
        inside = name if components.get(name, made) == made else f"{name}Answer"
        components[inside] = made
        renamed = renamed.replace(f'"{_REF.format(name=name)}"', f'"{_REF.format(name=inside)}"')
    return {"schema": json.loads(renamed)}, ("application/json",)


_PICTURE = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}


def _upload(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a type
    """msgspec's hook for uploads in JSON."""
    if not (isinstance(kind, type) and issubclass(kind, Upload)):
        raise NotImplementedError(kind)
    media = {PictureUpload: "image/*", SoundUpload: "audio/*"}.get(kind)
    described = {"type": "string", "contentEncoding": "base64", "description": "base64, or a data URL"}
    return {**described, "contentMediaType": media} if media else described


def _hook(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a type
    """msgspec's hook for what answers hold."""
    name, module = getattr(kind, "__name__", ""), getattr(kind, "__module__", "")
    if is_picture(kind):
        return _PICTURE
    if name == "ndarray":
        return {"type": "array"}
    if module == "numpy" and isinstance(kind, type):
        family = next((base.__name__ for base in kind.__mro__ if base.__name__ in _NUMBERS), "")
        return {"type": _NUMBERS[family]} if family else {}
    if module.startswith("pathlib"):
        return {"type": "string", "contentEncoding": "base64"}
    raise NotImplementedError(kind)


_NUMBERS = {"integer": "integer", "floating": "number", "str_": "string", "bool": "boolean", "bool_": "boolean"}


def _default(value: object) -> object:
    try:
        return json.loads(msgspec.json.encode(value))
    except (TypeError, NotImplementedError, ValueError):
        return None
