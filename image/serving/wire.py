"""A type hint → what comes over the wire for it, and how the author's value is made of that.

msgspec validates JSON and knows most types; what it does not know is translated here: pictures, sound and files are
`Upload`s on the wire, records refuse unknown fields, and marks of `annotated_types` become `msgspec.Meta`.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import types
import typing
import uuid
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

Build = Callable[[Any, "Uploads"], Any]
"""Makes the author's value of a value that msgspec has checked."""


TAKEN = (
    "inputs are PIL.Image.Image, tuple[numpy.ndarray, int] for sound, bytes or pathlib.Path for a file, str, int, "
    "float, bool, Literal, Enum, and lists, dicts, dataclasses and TypedDicts of these"
)
_ABSTRACT: dict[Any, Any] = {
    **dict.fromkeys(
        (
            abc.Sequence,
            abc.Iterable,
            abc.Collection,
            abc.MutableSequence,
        ),
        list,
    ),
    **dict.fromkeys((abc.Mapping, abc.MutableMapping), dict),
    **dict.fromkeys((abc.Set, abc.MutableSet), set),
}
_NATIVE = {
    *(str, int, float, bool, object, Any, list, dict, tuple, set, frozenset),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID),
}


class HintError(TypeError):
    """A hint that cannot be served; the text says why, and what would do."""


class Upload:
    """Bytes of one file. `media_type` and `name` are what the caller said, or empty.

    No dataclass: msgspec would take those for records.
    """

    __slots__ = ("data", "media_type", "name")

    def __init__(self, data: bytes, media_type: str = "", name: str = "") -> None:
        self.data = data
        self.media_type = media_type
        self.name = name


class Uploads(typing.Protocol):
    """Makes an author's value of an upload; each may raise `HttpError`. `where` is the input's name."""

    def picture(self, upload: Upload, where: str) -> Any: ...  # noqa: ANN401 - a PIL.Image.Image
    def sound(self, upload: Upload, where: str) -> Any: ...  # noqa: ANN401 - (samples, rate)
    def file(self, upload: Upload, where: str) -> Path: ...


# One class a kind: msgspec hands them to `decode`, and the schema is told apart by them.
class PictureUpload(Upload):
    """A picture, which arrives upright, in sRGB and RGB."""


class SoundUpload(Upload):
    """Sound, which arrives as samples and their rate."""


class FileUpload(Upload):
    """Any file."""


@dataclass(frozen=True, slots=True)
class Wire:
    """`type` is what msgspec checks; `build` makes the author's value, None where it is the same."""

    type: Any
    build: Build | None = None


_records: dict[type, Wire] = {}
"""One struct a record, however often it is named: the schema knows it by its name."""


def wire(hint: Any, where: str, within: tuple[Any, ...] = ()) -> Wire:  # noqa: ANN401 - a type hint
    """Translate the hint of the input `where`. Raises `HintError`."""
    if hint in (None, types.NoneType):
        return Wire(None)
    if isinstance(hint, types.ModuleType):
        raise HintError(f"{where}: {hint.__name__} is a module; for a picture write PIL.Image.Image")
    if is_picture(hint):
        return picture_wire(where)
    if is_sound(hint):
        return Wire(SoundUpload, lambda upload, uploads: uploads.sound(upload, where))
    if hint in (bytes, bytearray):
        return Wire(FileUpload, lambda upload, _: hint(upload.data))
    if isinstance(hint, type) and issubclass(hint, Path):
        return Wire(FileUpload, lambda upload, uploads: uploads.file(upload, where))
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = wire(arguments[0], where, within)
        return Wire(Annotated[inner.type, *marks(arguments[1:], where)], inner.build) if arguments[1:] else inner
    if origin in (Union, types.UnionType):
        return _union(arguments, where, within)
    if origin in (list, set, frozenset, tuple, dict) or origin in _ABSTRACT:
        return _container(_ABSTRACT.get(origin, origin), arguments, where, within)
    if isinstance(hint, type) and _is_record(hint):
        if hint in within:
            raise HintError(f"{where}: {hint.__name__} holds itself, which cannot be served; use dict[str, object]")
        if hint not in _records:
            _records[hint] = _record(hint, where, (*within, hint))
        return _records[hint]
    if origin is Literal or hint in _NATIVE or (isinstance(hint, type) and issubclass(hint, Enum)):
        return Wire(hint)
    name = getattr(hint, "__name__", None) or str(hint)
    if "ndarray" in name.lower() or "NDArray" in str(hint):
        raise HintError(f"{where}: an array cannot be sent; take list[float], or sound as tuple[numpy.ndarray, int]")
    raise HintError(f"{where}: {name} cannot be served; {TAKEN}")


def picture_wire(where: str) -> Wire:
    """The wire of a picture."""
    return Wire(PictureUpload, lambda upload, uploads: uploads.picture(upload, where))


def marks(found: tuple[Any, ...], where: str) -> list[Meta]:
    """Marks of `Annotated` as msgspec knows them: its own, those of `annotated_types`, and descriptions.

    Raises `HintError` for any other: a bound that nobody checks is worse than none.
    """
    told: list[Meta] = []
    for mark in found:
        if isinstance(mark, Meta):
            told.append(mark)
        elif isinstance(mark, str):
            told.append(Meta(description=mark))
        elif type(mark).__module__.partition(".")[0] == "annotated_types":
            told += _annotated(mark, where)
        else:
            raise HintError(f"{where}: the mark {mark!r:.80} is unknown; use msgspec.Meta or annotated_types")
    return [_merged(told)] if told else []


_BOUNDS = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt", "MultipleOf": "multiple_of"}
_LENGTHS = {"MinLen": "min_length", "MaxLen": "max_length"}


def _annotated(mark: Any, where: str) -> list[Meta]:  # noqa: ANN401 - one of annotated_types' classes
    name = type(mark).__name__
    if name in _BOUNDS:
        return [Meta(**{_BOUNDS[name]: getattr(mark, _BOUNDS[name])})]
    if name in _LENGTHS:
        return [Meta(**{_LENGTHS[name]: getattr(mark, _LENGTHS[name])})]
    if name in ("Interval", "Len"):  # groups of the above
        return [meta for part in mark for meta in _annotated(part, where)]
    raise HintError(f"{where}: the mark annotated_types.{name} cannot be checked; bounds and lengths can")


def _merged(metas: list[Meta]) -> Meta:
    """One mark of several: msgspec refuses a bound that is said twice, and so do we."""
    fields: dict[str, Any] = {}
    for meta in metas:
        for name in _META_FIELDS:
            value = getattr(meta, name)
            if value is not None:
                fields[name] = f"{fields[name]} {value}" if name == "description" and name in fields else value
    return Meta(**fields)


_QUALIFIERS = (typing.Required, typing.NotRequired)
"""Of a TypedDict's fields; whether one must be given is read off the class."""
_META_FIELDS = (
    *("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz"),
    *("title", "description", "examples", "extra_json_schema", "extra"),
)


def _union(arguments: tuple[Any, ...], where: str, within: tuple[Any, ...]) -> Wire:
    parts = [wire(argument, where, within) for argument in arguments]
    built = [part for part in parts if part.build]
    if not built:
        return Wire(Union[tuple(part.type for part in parts)])  # noqa: UP007 - made at run time
    others = [part for part in parts if not part.build and part.type is not None]
    if len(built) > 1 or others:
        raise HintError(f"{where}: {' or '.join(map(_name, arguments))} cannot be told apart in a request; take one")
    build = typing.cast("Build", built[0].build)
    return Wire(
        Union[built[0].type, None],  # noqa: UP007 - made at run time
        lambda value, uploads: None if value is None else build(value, uploads),
    )


def _container(kind: Any, arguments: tuple[Any, ...], where: str, within: tuple[Any, ...]) -> Wire:  # noqa: ANN401
    if kind is dict:
        return _dict(arguments[0], arguments[1], where, within)
    if kind is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return _tuple(arguments, where, within)
    inner = wire(arguments[0], where, within)
    made = _generic(kind, inner.type, ...) if kind is tuple else _generic(kind, inner.type)
    build = inner.build
    return Wire(made, (lambda value, uploads: kind(build(item, uploads) for item in value)) if build else None)


def _dict(keys: Any, values: Any, where: str, within: tuple[Any, ...]) -> Wire:  # noqa: ANN401 - type hints
    if keys not in (str, int) and get_origin(keys) not in (Literal, Annotated):
        raise HintError(f"{where}: the keys of a dict are text in JSON; take dict[str, …]")
    inner = wire(values, where, within)
    build = inner.build
    return Wire(
        _generic(dict, keys, inner.type),
        (lambda value, uploads: {key: build(item, uploads) for key, item in value.items()}) if build else None,
    )


def _tuple(arguments: tuple[Any, ...], where: str, within: tuple[Any, ...]) -> Wire:
    parts = [wire(argument, where, within) for argument in arguments]

    def build(value: Any, uploads: Uploads) -> Any:  # noqa: ANN401
        pairs = zip(parts, value, strict=True)
        return tuple(part.build(item, uploads) if part.build else item for part, item in pairs)

    return Wire(_generic(tuple, *(part.type for part in parts)), build if any(part.build for part in parts) else None)


def _generic(kind: Any, *arguments: Any) -> Any:  # noqa: ANN401 - types that are made at run time
    return kind[arguments if len(arguments) > 1 else arguments[0]] if arguments else kind[()]


def _is_record(hint: type) -> bool:
    return dataclasses.is_dataclass(hint) or typing.is_typeddict(hint) or issubclass(hint, msgspec.Struct)


def _record(record: Any, where: str, within: tuple[Any, ...]) -> Wire:  # noqa: ANN401 - a class
    """A dataclass, TypedDict or Struct as a Struct that refuses unknown fields; what is left out keeps its default."""
    try:
        hints = get_type_hints(record, include_extras=True)
    except NameError as error:
        raise HintError(f"{where}: {record.__name__} names {error.name}, which its module does not know") from error
    needed = _required(record, hints)
    parts = {}
    for name, hint in hints.items():
        if get_origin(hint) is typing.ClassVar or name not in needed:
            continue
        inner = hint
        while get_origin(inner) in _QUALIFIERS:
            (inner,) = get_args(inner)
        parts[name] = wire(inner, f"{where}.{name}", within)
    made = struct(record.__name__, {name: (part.type, needed[name]) for name, part in parts.items()}, where)

    def build(value: Any, uploads: Uploads) -> Any:  # noqa: ANN401
        return record(**built(value, parts, uploads))

    return Wire(made, build)


def built(value: Any, parts: typing.Mapping[str, Wire], uploads: Uploads) -> dict[str, Any]:  # noqa: ANN401 - a Struct
    """The author's values of a struct's fields, without those that were left out."""
    found = {name: getattr(value, name) for name in parts}
    return {
        name: build(item, uploads) if (build := parts[name].build) else item
        for name, item in found.items()
        if item is not UNSET
    }


def struct(name: str, fields: typing.Mapping[str, tuple[Any, bool]], where: str) -> type[msgspec.Struct]:
    """A struct of name → (type, whether it must be given) that refuses unknown fields. Raises `HintError`."""
    listed: list[Any] = [
        (field, type_) if needed else (field, Union[type_, UnsetType], UNSET)  # noqa: UP007 - made at run time
        for field, (type_, needed) in fields.items()
    ]
    made = msgspec.defstruct(name, listed, kw_only=True, forbid_unknown_fields=True)
    try:
        msgspec.json.Decoder(made, dec_hook=decode)
    except (TypeError, NotImplementedError, ValueError) as error:
        raise HintError(f"{where}: {error}") from error
    return made


def _required(record: Any, hints: typing.Mapping[str, Any]) -> dict[str, bool]:  # noqa: ANN401 - a class
    """The fields that a caller can give, and whether he must."""
    if typing.is_typeddict(record):
        # Where hints are text, the class itself has not read NotRequired.
        said = {typing.Required: True, typing.NotRequired: False}
        return {
            name: said.get(get_origin(hint) or hint, name in record.__required_keys__) for name, hint in hints.items()
        }
    if issubclass(record, msgspec.Struct):
        return {field.name: field.required for field in msgspec.structs.fields(record)}
    nothing = dataclasses.MISSING
    return {
        field.name: field.default is nothing and field.default_factory is nothing
        for field in dataclasses.fields(record)
        if field.init
    }


def decode(kind: type, value: object) -> object:
    """msgspec's hook for uploads in JSON: base64, or a data URL. Raises `ValueError`."""
    if not issubclass(kind, Upload):
        raise NotImplementedError(kind)
    if isinstance(value, Upload):
        return kind(value.data, value.media_type, value.name)
    if not isinstance(value, str):
        raise ValueError("Expected a file as base64 or as a data URL")  # noqa: TRY004 - msgspec wants a ValueError
    from binascii import Error, a2b_base64

    head, comma, content = value.partition(",") if value[:5].lower() == "data:" else ("", "", value)
    if head and not (comma and head.lower().endswith(";base64")):
        raise ValueError("Expected a data URL in base64")
    try:
        return kind(a2b_base64(content.encode("ascii"), strict_mode=True), head[5:].partition(";")[0].lower())
    except (Error, UnicodeEncodeError) as error:
        raise ValueError("Expected a file as base64 or as a data URL") from error


def encode(upload: object) -> str:
    """msgspec's hook for uploads that are written: a data URL, as `decode` takes it."""
    from base64 import b64encode

    assert isinstance(upload, Upload), "msgspec asks for what it does not know"  # noqa: S101
    return f"data:{upload.media_type};base64,{b64encode(upload.data).decode()}"


def is_picture(hint: object) -> bool:
    """Whether a hint is `PIL.Image.Image`."""
    return isinstance(hint, type) and hint.__name__ == "Image" and hint.__module__ == "PIL.Image"


def is_sound(hint: object) -> bool:
    """Whether a hint is `tuple[numpy.ndarray, int]`."""
    if get_origin(hint) is not tuple or len(get_args(hint)) != 2 or get_args(hint)[1] is not int:
        return False
    samples = get_origin(get_args(hint)[0]) or get_args(hint)[0]
    return getattr(samples, "__name__", "") == "ndarray"


def _name(hint: object) -> str:
    return getattr(hint, "__name__", None) or str(hint)
