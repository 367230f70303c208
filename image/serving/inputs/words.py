"""What is wrong with a request, in words: msgspec's findings by the names that a caller knows."""

from __future__ import annotations

import re
import types
import typing
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import msgspec

from serving.contract import core

if TYPE_CHECKING:
    from serving.contract import Contract

_PATH = re.compile(r"^(?P<said>.*?)(?: - at `(?P<key>key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "bytes": "a file",
}
_LONGEST = 300


def how(contract: Contract) -> str:
    """How to send a request."""
    first = contract.first
    names = ", ".join(contract.inputs) or "nothing"
    if contract.legacy and first:
        return "send a picture's bytes as the body, with Content-Type: image/jpeg (or what it is)"
    forms = f"multipart/form-data or application/json takes {names}"
    if first is None or first.kind == "value":
        return forms
    media = {"picture": "image/*", "sound": "audio/*", "file": "any media type", "text": "text/plain"}[first.kind]
    return f"{media} takes {first.name} as the body, {forms}"


def unknown(name: str, contract: Contract) -> str:
    """That an input is unknown, and which there are."""
    import difflib

    near = difflib.get_close_matches(name, contract.inputs, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(contract.inputs) or 'none'}"
    return f"{name[:40]} is unknown; {meant}"


def told(message: str, contract: Contract) -> str:
    """msgspec's message with the input's name, and the choices where it keeps them to itself."""
    found = _PATH.fullmatch(message)
    said, path = (found["said"], (found["path"] or "").lstrip(".")) if found else (message, "")
    marked = _at(contract.request, path)
    hint = core(marked)
    fields = [field.name for field in msgspec.structs.fields(hint)] if _is_struct(hint) else []
    if missing := re.fullmatch(r"Object missing required field `(.*)`", said):
        name = f"{path}.{missing[1]}" if path else missing[1]
        return f"{name} is missing" + ("" if path else f"; {how(contract)}")
    if extra := re.fullmatch(r"Object contains unknown field `(.*)`", said, re.DOTALL):
        if not path:
            return unknown(extra[1], contract)
        return f"{path}.{extra[1][:40]} is unknown; there are: {', '.join(fields)}"
    if choices := _choices(hint):
        said = f"expected {choices}"
    if bound := re.fullmatch(r"Expected `(int|float|str|array|object)`(?: of length)? [<>]=? .*", said):
        said = f"expected {_word(bound[1])}{_range(marked)}"
    said = re.sub(r"`([^`]*)`", lambda kinds: " or ".join(map(_word, kinds[1].split(" | "))), said)
    said = said[:1].lower() + said[1:]
    if len(said) > _LONGEST:
        said = said[:_LONGEST] + "…"
    return f"{path or 'the request'}: {said}"


def _word(kind: str) -> str:
    return _TYPES.get(kind, kind)


def _is_struct(hint: Any) -> bool:  # noqa: ANN401 - a type
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _at(hint: Any, path: str) -> Any:  # noqa: ANN401 - a type
    """The type, with its marks, at msgspec's path in another: `.a` is a field, `[0]` and `[...]` are items."""
    for step in re.findall(r"[^.\[\]]+|\[\d+\]|\[\.\.\.\]", path):
        hint = core(hint)
        arguments = get_args(hint)
        if _is_struct(hint):
            hints = typing.get_type_hints(hint, include_extras=True)
            if step not in hints:
                return None
            hint = hints[step]
        elif not arguments:
            return None
        elif get_origin(hint) is dict:
            hint = arguments[1]
        elif get_origin(hint) is tuple and arguments[-1] is not Ellipsis and step.strip("[]").isdigit():
            hint = arguments[int(step.strip("[]"))]
        else:
            hint = arguments[0]
    return hint


def _range(hint: Any) -> str:  # noqa: ANN401 - a type with marks
    """The bounds of a number or of a length, in words."""
    found = [mark for mark in _marks(hint) if isinstance(mark, msgspec.Meta)]
    bounds = {name: value for mark in found for name in _BOUNDS if (value := getattr(mark, name)) is not None}
    lengths = "min_length" in bounds or "max_length" in bounds
    words = [_BOUNDS[name].format(value) for name, value in bounds.items()]
    return (" with a length" if lengths else "") + "".join(f" {word}" for word in words)


def _marks(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type with marks
    if get_origin(hint) is typing.Annotated:
        return (*get_args(hint)[1:], *_marks(get_args(hint)[0]))
    if get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(mark for part in get_args(hint) for mark in _marks(part))
    return ()


_BOUNDS = {
    "ge": "from {}",
    "gt": "above {}",
    "min_length": "from {}",
    "le": "to {}",
    "lt": "below {}",
    "max_length": "to {}",
    "multiple_of": "by steps of {}",
}


def _choices(hint: Any) -> str:  # noqa: ANN401 - a type
    """What a choice is between, in words; "" for another type."""
    values: list[Any] = []
    if get_origin(hint) is Literal:
        values = list(get_args(hint))
    elif isinstance(hint, type) and issubclass(hint, Enum):
        values = [member.value for member in hint]
    if len(values) > 2 and all(type(value) is int for value in values):
        least, most = min(values), max(values)
        if most - least + 1 == len({*values}):
            return f"a whole number from {least} to {most}"
    return f"one of {', '.join(map(str, values))}" if values else ""
