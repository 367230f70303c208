"""Values → a request in one of the three forms that a deployed API takes.

The first input as the body with the others in the query, where all of these are short and plain; else a form, since
files go in it as they are; and JSON where there is no file, or something that a form has no word for.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from urllib3 import encode_multipart_formdata
from urllib3.fields import RequestField

from lambdacap.client.contract import FORM, JSON, Contract
from lambdacap.client.inputs import Value
from lambdacap.client.source import File
from lambdacap.errors import InputError

MOST = 4_600_000
"""Bytes of a body. Lambda takes 6,291,556 bytes of event, in which it is base64 (4/3) beside the headers."""
_QUERY = 2000
"""Characters of a query: the gateway takes 10,240 bytes of request line and headers."""
_PLAIN = (str, int, float, bool)
_MEANT_OTHERWISE = (JSON, FORM, "application/x-www-form-urlencoded")
"""Media types of bodies that hold inputs by name."""


@dataclass(frozen=True)
class Request:
    """What is posted, and how messages call it; `accept` is the media type of answer that is wanted.

    `wants_file`: the answer is one, whatever its type.
    """

    name: str
    body: bytes
    media_type: str
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = "*/*"
    wants_file: bool = False


def request(contract: Contract, values: Mapping[str, Value], name: str, accept: str = "") -> Request:
    """Write the values. Of answers that come as files, those of the type `accept` are wanted, if it is named.

    Raises `InputError` for more than passes the gateway.
    """
    accept = (accept or "*/*") if contract.gives_files else JSON
    made = _raw(contract, values, name, accept) or _form(contract, values, name, accept)
    made = made or Request(name, json.dumps(_plain(values)).encode(), JSON, accept=accept)
    made = replace(made, wants_file=contract.gives_files)
    if len(made.body) > MOST and not contract.free:
        raise InputError(
            f"{name}: the request has {len(made.body) / 1e6:.1f} MB, and the gateway passes {MOST / 1e6:.1f}",
            hint="Send less of it; photos are shrunk without --original.",
        )
    return made


def _raw(contract: Contract, values: Mapping[str, Value], name: str, accept: str) -> Request | None:
    first = contract.first
    file = values.get(first.name) if first else None
    if not isinstance(file, File) or file.media_type in _MEANT_OTHERWISE:
        return None
    others = {key: value for key, value in values.items() if first and key != first.name}
    if not contract.free and not all(isinstance(value, _PLAIN) for value in others.values()):
        return None
    query = {key: _text(value) for key, value in others.items()}
    if not contract.free and sum(len(key) + 3 * len(value) for key, value in query.items()) > _QUERY:
        return None
    if not contract.free and any(_ambiguous(contract, key) for key in others):
        return None
    return Request(name, file.content, file.media_type, query, accept)


def _form(contract: Contract, values: Mapping[str, Value], name: str, accept: str) -> Request | None:
    """With a file in it, and nothing else that text cannot tell."""
    parts: list[tuple[str, Value]] = []
    for key, value in values.items():
        several = isinstance(value, list) and any(isinstance(item, File) for item in value)
        parts += [(key, item) for item in value] if several else [(key, value)]
    files = [value for _, value in parts if isinstance(value, File)]
    others = [key for key, value in parts if not isinstance(value, File)]
    if not files or any(values[key] is None or _ambiguous(contract, key) for key in others):
        return None
    body, media_type = encode_multipart_formdata([_part(*part) for part in parts])
    return Request(name, body, media_type, accept=accept)


def _part(key: str, value: Value) -> RequestField:
    """Of a file only the suffix of its name is told."""
    if not isinstance(value, File):
        return RequestField.from_tuples(key, _text(value).encode("utf-8", "replace"))
    suffix = Path(value.name).suffix
    name = f"{key}{suffix}" if suffix[1:].isalnum() else key
    return RequestField.from_tuples(key, (name, value.content, value.media_type))


def _ambiguous(contract: Contract, name: str) -> bool:
    """Whether the type of an input does not say what its text means, as that of "number or text" does not."""
    parameter = contract.parameters.get(name)
    if parameter is None:
        return False
    core = contract.core(parameter.schema)
    return not isinstance(core.get("type"), str) and not _of_one_type(core.get("enum"))


def _of_one_type(choices: object) -> bool:
    return isinstance(choices, list) and len({type(choice) for choice in choices}) == 1


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return value if isinstance(value, str) else json.dumps(value)


def _plain(value: Value) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The value with data URLs in the place of files."""
    if isinstance(value, File):
        return f"data:{value.media_type};base64,{b64encode(value.content).decode()}"
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
