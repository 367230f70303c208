"""A project's first example as a request: what makes a new version warm, as its first caller would."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.gateway import Request
from serving.inputs import BYTES, JSON

if TYPE_CHECKING:
    from serving.contract import Contract, Input

FOLDER = Path("examples")
_TYPES = {"picture": "image/*", "sound": "audio/*", "file": BYTES, "text": "text/plain"}


class ExampleError(Exception):
    """The example does not get an answer: so a caller would not, either."""


def find(contract: Contract) -> Path | None:
    """The first file by its name that the first input may be; None where there is none, or it alone is no request.

    A JSON file holds the first input, or an object of inputs by name.
    """
    first = contract.first
    if first is None:
        return None
    alone = not any(given.required for given in contract.inputs.values() if given is not first)
    files = (path for path in sorted(FOLDER.glob("*")) if path.is_file() and not _is_aside(path.name))
    return next((path for path in files if (alone and first.kind != "value") or _is_json(path, first)), None)


def request(example: Path, contract: Contract) -> Request:
    """The example as a caller sends it. Raises `ExampleError` for a JSON file that is none."""
    first = contract.first
    assert first is not None  # noqa: S101 - `find` has found none else
    data = example.read_bytes()
    if not _is_json(example, first):
        kind = _TYPES[first.kind]
        if kind.endswith("*"):
            kind = mimetypes.guess_type(example.name)[0] or BYTES
        return _post(data, kind)
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ExampleError(f"{example} is no JSON: {error}") from error
    if not (isinstance(value, dict) and value and value.keys() <= contract.inputs.keys()):
        value = {first.name: value}
    return _post(json.dumps(value).encode(), JSON)


def _post(body: bytes, kind: str) -> Request:
    return Request("POST", "/", {"content-type": kind}, query={}, queries={}, body=body, binary=True)


def _is_json(path: Path, first: Input) -> bool:
    """Whether it is read as JSON, and not handed to `predict` as the file that it is."""
    return path.suffix.lower() == ".json" and first.kind != "file"


def _is_aside(name: str) -> bool:
    return name.startswith(".") or name.lower().startswith("readme")
