"""Forms: fields and files by name. Parsed by python-multipart, which is imported when the first one comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from serving.contract import core
from serving.gateway import HttpError
from serving.inputs import text, words
from serving.inputs.parsed import as_json
from serving.wire import Upload, decode

if TYPE_CHECKING:
    from serving.contract import Contract, Input
    from serving.gateway import Request

MAX_PARTS = 1000
"""Far beyond any signature's, and soon parsed."""
MAX_HEADERS = 16
_LISTS = (list, tuple, set, frozenset)
_INFINITE = {"nan", "inf", "infinity"}


@dataclass(slots=True)
class Part:
    """One part of a form; `headers` by names in lower case."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)

    def parameter(self, name: str) -> str:
        return text.parameter(self.headers.get("content-disposition", ""), name)


def fields(http: Request, contract: Contract) -> dict[str, Any]:
    """A form's values by input. Raises `HttpError`."""
    given: dict[str, list[Any]] = {}
    for name, item in _multipart(http) if http.content_type == "multipart/form-data" else _encoded(http):
        if name not in contract.inputs:
            raise HttpError(400, "invalid_parameter", words.unknown(name, contract))
        given.setdefault(name, []).append(item)
    try:
        return {name: value(contract.inputs[name], items) for name, items in given.items()}
    except msgspec.ValidationError as error:
        raise HttpError(400, "invalid_parameter", words.told(str(error), contract)) from error


def value(wanted: Input, items: list[Any]) -> Any:  # noqa: ANN401 - text, a file, or parsed JSON
    """What a form or a query gave for one input, in the shape that is checked.

    Several of one name are a list. Lists, objects and records come as JSON, and are checked as such here: later, text
    passes for a number. Raises `HttpError`, or msgspec's `ValidationError`.
    """
    inner = core(wanted.wire.type)
    kind = get_origin(inner) or inner
    if kind in _LISTS:
        element = core(get_args(inner)[0]) if get_args(inner) else str
        items = [_read(wanted.name, element, item) for item in items]
        if len(items) == 1 and isinstance(items[0], str) and items[0].lstrip().startswith("["):
            return _strict(wanted, items[0])
        if _comes_as_json(element):
            return _strict(wanted, f"[{','.join(items)}]")
        return [_one(wanted.name, element, item) for item in items]
    if len(items) > 1:
        raise HttpError(400, "invalid_parameter", f"{wanted.name} is given {len(items)} times; it takes one value")
    if _comes_as_json(inner):
        return _strict(wanted, _read(wanted.name, inner, items[0]))
    return _one(wanted.name, inner, items[0])


def _strict(wanted: Input, item: str) -> Any:  # noqa: ANN401 - JSON
    """JSON that the input takes. Raises `HttpError`, or msgspec's `ValidationError`."""
    try:
        return as_json(
            item.encode(), lambda found: msgspec.convert({wanted.name: found}, wanted.alone, dec_hook=decode)
        )[0]
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError) as error:
        raise HttpError(400, "invalid_parameter", f"{wanted.name}: expected JSON ({error})") from error


def _comes_as_json(kind: Any) -> bool:  # noqa: ANN401 - a type
    is_record = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return is_record or (get_origin(kind) or kind) in (dict, *_LISTS)


def _one(name: str, kind: Any, item: Any) -> Any:  # noqa: ANN401 - see `value`
    item = _read(name, kind, item)
    if isinstance(item, Upload):
        return item
    if kind is float and item.strip().lstrip("+-").lower() in _INFINITE:
        raise HttpError(400, "invalid_parameter", f"{name}: expected a finite number")
    return item


def _read(name: str, kind: Any, item: Any) -> Any:  # noqa: ANN401 - see `value`
    """A file as the text in it, where no file is wanted: many clients send JSON as one. Raises `HttpError`."""
    if isinstance(item, Upload) and not (isinstance(kind, type) and issubclass(kind, Upload)):
        return text.decoded(item.data, where=name)
    return item


def _encoded(http: Request) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text.decoded(http.body), keep_blank_values=True, strict_parsing=bool(http.body), max_num_fields=MAX_PARTS
        )
    except ValueError as error:
        raise HttpError(400, "invalid_form", f"the body is no form: {error}") from error


def _multipart(http: Request) -> list[tuple[str, Any]]:
    """A form's parts as (name, text or file). Raises `HttpError`."""
    if not http.binary and not http.body.isascii():
        raise HttpError(400, "invalid_body", "the form came as text: the API lacks */* as a binary type")
    boundary = text.parameter(http.headers.get("content-type", ""), "boundary")
    if not boundary:
        raise HttpError(400, "invalid_form", "the form's Content-Type names no boundary")
    return [_named(part) for part in _parts(http.body, boundary)]


def _named(part: Part) -> tuple[str, Any]:
    name = part.parameter("name")
    if not name:
        raise HttpError(400, "invalid_form", "a part of the form has no name")
    media_type = part.headers.get("content-type", "").partition(";")[0].strip().lower()
    file = part.parameter("filename")
    if file or media_type not in ("", "text/plain"):
        return name, Upload(bytes(part.data), media_type, file)
    return name, text.decoded(bytes(part.data), where=name)


def _parts(body: bytes, boundary: str) -> list[Part]:
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser

    parts: list[Part] = []
    header = [bytearray(), bytearray()]
    ended = False

    def begin() -> None:
        if len(parts) == MAX_PARTS:
            raise HttpError(413, "too_many_parts", f"the form has more than {MAX_PARTS} parts")
        parts.append(Part())

    def end_header() -> None:
        if len(parts[-1].headers) == MAX_HEADERS:
            raise HttpError(400, "invalid_form", f"a part of the form has more than {MAX_HEADERS} headers")
        name, content = (bytes(piece).decode("utf-8", "replace") for piece in header)
        parts[-1].headers[name.strip().lower()] = content.strip()
        header[0].clear()
        header[1].clear()

    def end() -> None:
        nonlocal ended
        ended = True

    parser = MultipartParser(
        boundary.encode("latin-1", "replace"),
        {
            "on_part_begin": begin,
            "on_part_data": lambda data, start, stop: parts[-1].data.extend(data[start:stop]),
            "on_header_field": lambda data, start, stop: header[0].extend(data[start:stop]),
            "on_header_value": lambda data, start, stop: header[1].extend(data[start:stop]),
            "on_header_end": end_header,
            "on_end": end,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise HttpError(400, "invalid_form", f"the body is no form: {error}") from error
    if not ended:
        raise HttpError(400, "invalid_form", "the form breaks off before its end")
    return parts
