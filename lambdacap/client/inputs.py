"""What a user gives for the inputs of a model → values to send: text, JSON, and files prepared for their kind."""

from __future__ import annotations

import json
import math
import mimetypes
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lambdacap.client import photo
from lambdacap.client.check import check, check_missing, check_names, taken
from lambdacap.client.contract import Contract, Parameter
from lambdacap.client.source import File, is_piped, load
from lambdacap.errors import InputError, UsageError

Value = Any
"""What JSON can hold, with `File`s in the place of files."""
Given = tuple[str, str]
"""A name, and what was typed for it: text, or `@` and a file's path."""
_SUFFIXES: dict[str, set[str]] = {
    "picture": photo.SUFFIXES,
    "sound": {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif"},
    "text": {".txt", ".md"},
    "value": {".json"},
}
"""What is taken for an input in a folder, by kind; a model of any file takes all."""
_NOUNS = {"picture": "photos", "sound": "sound files", "text": "text files", "value": "JSON files", "file": "files"}
_TRUTH = {"1": True, "0": False}


def assignments(typed: Sequence[str]) -> list[Given]:
    """`NAME=VALUE` each. Raises `UsageError`."""
    found = []
    for text in typed:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"-i {text[:60]}: an input is NAME=VALUE, or NAME=@FILE")
        found.append((name, value))
    return found


def check_files(paths: Iterable[Path]) -> None:
    """Raises `InputError` for one that is not there, before anything is asked; of several, each is told in its turn."""
    path, *others = [*paths, Path("-")]
    if len(others) != 1 or is_piped(path):
        return
    if path.is_dir() and not any(_inside(path, None)):
        raise InputError(f"there is nothing to send in the folder {path}")
    if not path.exists():
        load(path)


def collect(paths: Iterable[Path], contract: Contract) -> list[Path]:
    """The files among `paths`, and in the folders among them and below those that the model may take, by name.

    Raises `InputError` for a folder without any.
    """
    kind = contract.first.kind if contract.first else "file"
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(_inside(path, _SUFFIXES.get(kind)))
        if not inside:
            names = ", ".join(sorted(suffix.removeprefix(".") for suffix in _SUFFIXES.get(kind, ())))
            hint = f"Looked for {names}." if names else ""
            raise InputError(f"there are no {_NOUNS[kind]} in the folder {path}", hint=hint)
        files += inside
    return files


def _inside(folder: Path, suffixes: set[str] | None) -> Iterator[Path]:
    """Those in a folder and below, in linked folders too, each of which is searched once."""
    searched: set[Path] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        if real in searched:
            folders.clear()
            continue
        searched.add(real)
        for name in names:
            if not name.startswith(".") and (suffixes is None or Path(name).suffix.lower() in suffixes):
                yield Path(place, name)


def given(contract: Contract, typed: Sequence[Given], *, file: bool, original: bool = False) -> dict[str, Value]:
    """The values that all requests share, checked; `file`: each request gives a file to the first input, too.

    Raises `InputError`, and `CallError` for a schema that cannot be followed.
    """
    grouped: dict[str, list[str]] = {}
    for name, text in typed:
        grouped.setdefault(name, []).append(text)
    check_names(contract, grouped)
    first = contract.first
    if file and first is None:
        raise InputError("this model takes no inputs, and so no file")
    if file and first and first.name in grouped:
        raise InputError(f"{first.name} is given twice: by FILE and by -i", hint="Leave one of them out.")
    check_missing(contract, [*grouped, *([first.name] if file and first else [])])
    pictures = _pictures(contract, grouped, file=file)
    values: dict[str, Value] = {}
    for name, texts in grouped.items():
        parameter = contract.parameters.get(name)
        if parameter is None:  # what is free
            values[name] = _single(name, texts)
        else:
            values[name] = _value(contract, parameter, texts, original=original, share=pictures)
    return values


def of_file(
    contract: Contract, path: Path, shared: dict[str, Value], *, original: bool = False
) -> tuple[dict[str, Value], bool]:
    """All values of a request whose first input is a file, and whether its picture breaks off.

    Raises as `given` does.
    """
    assert contract.first is not None, "checked by `given`"  # noqa: S101 - a defect of ours
    share = 1 + sum(isinstance(value, photo.Photo) for value in shared.values())
    value = _of_file(contract, contract.first, path, original=original, share=share)
    check_value(contract, contract.first, value)
    value_of_it = [value] if contract.first.several else value
    truncated = isinstance(value, photo.Photo) and value.truncated
    return {contract.first.name: value_of_it, **shared}, truncated


def check_value(contract: Contract, parameter: Parameter, value: Value) -> None:
    """Check what is no file: of files the API knows more."""
    if not parameter.is_file:
        check(contract, parameter, value)


def _pictures(contract: Contract, grouped: dict[str, list[str]], *, file: bool) -> int:
    """How many pictures share a request."""
    names = [
        *([contract.first.name] if file and contract.first else []),
        *(n for n, texts in grouped.items() for _ in texts),
    ]
    return sum(1 for name in names if name in contract.parameters and contract.parameters[name].kind == "picture")


def _single(name: str, texts: list[str]) -> str:
    if len(texts) > 1:
        raise InputError(f"{name} is given {len(texts)} times; it takes one value")
    return texts[0]


def _value(contract: Contract, parameter: Parameter, texts: list[str], *, original: bool, share: int) -> Value:
    """The checked value of what was typed for one input."""
    core = contract.core(parameter.schema)
    listed = core.get("type") == "array"
    if not listed:
        _single(parameter.name, texts)
    values = []
    for text in texts:
        if text.startswith("@"):
            values.append(_of_file(contract, parameter, _path(parameter, text), original=original, share=share))
        elif parameter.is_file:
            values.append(_no_file(contract, parameter, text))
        else:
            values.append(parsed(contract, parameter.schema, text))
    value = values[0]
    if parameter.several:
        value = [file for file in values if file is not None]
    elif listed and len(values) > 1:
        value = [item for found in values for item in (found if isinstance(found, list) else [found])]
    check_value(contract, parameter, value)
    return value


def _path(parameter: Parameter, text: str) -> Path:
    if text == "@":
        raise InputError(f"{parameter.name}=@ names no file", hint="@FILE is a file, and @- what is piped in.")
    return Path(text[1:])


def _no_file(contract: Contract, parameter: Parameter, text: str) -> Value:
    """A file that is left out on purpose. Raises `InputError` for anything else."""
    if text == "null" and not parameter.required:
        return None
    hint = f"Write -i {parameter.name}=@{text[:60]}" if text and Path(text).exists() else taken(contract)
    raise InputError(f"{parameter.name} takes a file: -i {parameter.name}=@FILE", hint=hint)


def _of_file(contract: Contract, parameter: Parameter, path: Path, *, original: bool, share: int = 1) -> Value:
    """A file's content as the input's kind wants it; of pictures that share a request, each has its share of it."""
    if parameter.kind == "picture":
        return photo.prepare(path, original=original, most=photo.LIMIT // max(1, share))
    content = load(path)
    if parameter.is_file:
        return File(path.name, content, _media_type(path, parameter.kind, content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8, which {parameter.name} takes", hint=taken(contract)) from error
    core = contract.core(parameter.schema)
    items = contract.core(core.get("items"))
    if core.get("type") == "array" and items.get("type") == "string" and not text.lstrip().startswith("["):
        return text.splitlines()
    return text if parameter.kind == "text" else parsed(contract, parameter.schema, text.strip())


def _media_type(path: Path, kind: str, content: bytes) -> str:
    known = mimetypes.guess_type(path.name)[0]
    if kind == "sound" and not (known or "").startswith("audio/"):
        return "audio/wav" if content[:4] == b"RIFF" else "application/octet-stream"
    return known or "application/octet-stream"


def parsed(contract: Contract, schema: object, text: str) -> Value:
    """What was typed as a value of the schema's type; as the text itself where it is none."""
    core = contract.core(schema)
    if isinstance(choices := core.get("enum"), list):
        return next((choice for choice in choices if _is_choice(choice, text)), text)
    kind = core.get("type")
    if kind == "string":
        return text
    if kind == "boolean":
        return _TRUTH.get(text, _json(text.lower()))
    if kind == "array" and not text.lstrip().startswith("["):
        return [parsed(contract, core.get("items"), text)]
    if kind == "integer" and isinstance(found := _json(text), float) and found.is_integer():
        return int(found)
    return _json(text)


def _is_choice(choice: object, text: str) -> bool:
    return choice == text or (not isinstance(choice, str) and json.dumps(choice) == text)


def _json(text: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _refuse(word: str) -> None:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
