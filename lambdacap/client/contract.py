"""What a deployed predictor takes and gives, as its own description says: `GET /openapi.json`.

The description comes from the network, so nothing in it is believed to be what it should.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdacap.errors import CallError

Schema = Mapping[str, Any]
FILES = ("picture", "sound", "file")
"""Kinds of inputs that are sent as bytes."""
JSON, FORM = "application/json", "multipart/form-data"
_PATHS = 32
"""References that are followed to a schema."""


@dataclass(frozen=True)
class Parameter:
    """One input. `kind` is that of one value: picture, sound, file, text or value; `several`: it is a list of these."""

    name: str
    kind: str
    schema: Schema
    required: bool = False
    several: bool = False

    @property
    def is_file(self) -> bool:
        return self.kind in FILES


@dataclass(frozen=True)
class Contract:
    """Inputs by name, the first one first, and the media types of answers. `document` is where schemas refer to.

    `free`: inputs beside the first are any text, in the query. So are `predict(image, options)`, and what was deployed
    before there were descriptions.
    """

    parameters: Mapping[str, Parameter]
    answers: tuple[str, ...] = (JSON,)
    free: bool = False
    document: Schema = field(default_factory=dict)

    @property
    def first(self) -> Parameter | None:
        return next(iter(self.parameters.values()), None)

    @property
    def captions(self) -> bool:
        """Whether it is a captioner, whose answers are shown as one sentence."""
        return self.free or {"beam", "attention"} <= self.parameters.keys()

    @property
    def gives_files(self) -> bool:
        """Whether answers are pictures, sound or files, and never JSON."""
        return bool(self.answers) and JSON not in self.answers

    def as_file(self, suffix: str) -> str | None:
        """The media type that a file of this suffix should hold, if answers come in it."""
        kind = mimetypes.guess_type(f"x{suffix}")[0]
        return kind if kind in self.answers else None

    def core(self, schema: object) -> Schema:
        """A schema behind references, and without its null."""
        for _ in range(_PATHS):
            if not isinstance(schema, Mapping):
                return {}
            if isinstance(reference := schema.get("$ref"), str):
                schema = _at(self.document, *reference.removeprefix("#/").split("/"))
                continue
            others = [s for s in _list(schema.get("anyOf")) if not (isinstance(s, Mapping) and s.get("type") == "null")]
            if len(others) != 1:
                return schema
            (schema,) = others
        return {}


CAPTIONER = Contract({"photo": Parameter("photo", "picture", {}, required=True)}, free=True)
"""What is taken to answer where nothing is described."""


def read(document: object, url: str) -> Contract:
    """The contract that a document says. Raises `CallError` for one that cannot be followed."""
    if not isinstance(document, Mapping) or not isinstance(document.get("openapi"), str):
        return CAPTIONER  # somebody's own handler, which answers every GET
    operation = _at(document, "paths", "/", "post")
    bodies = _at(operation, "requestBody", "content")
    if not bodies:
        raise CallError(
            f"the API at {url} describes no prediction at POST /",
            hint="`lambdacap status` tells what is deployed; `lambdacap deploy` brings it up to date.",
        )
    answers = tuple(map(str, _at(operation, "responses", "200", "content"))) or (JSON,)
    if JSON not in bodies:
        name = next(iter(_at(document, "components", "schemas", "Request", "properties")), "photo")
        return Contract({name: Parameter(name, "picture", {}, required=True)}, answers, True, document)
    contract = Contract({}, answers, False, document)
    request = contract.core(_at(bodies, JSON, "schema"))
    required = _list(request.get("required"))
    parameters = {name: _parameter(contract, name, s, required) for name, s in _at(request, "properties").items()}
    return Contract(parameters, answers, False, document)


def _parameter(contract: Contract, name: str, schema: object, required: list[object]) -> Parameter:
    core = contract.core(schema)
    several = core.get("type") == "array"
    kind = _kind(contract.core(core.get("items")) if several else core)
    if several and kind not in FILES:
        kind, several = "value", False
    return Parameter(name, kind, schema if isinstance(schema, Mapping) else {}, name in required, several)


def _kind(schema: Schema) -> str:
    if schema.get("contentEncoding") == "base64":
        family = str(schema.get("contentMediaType", "")).partition("/")[0]
        return {"image": "picture", "audio": "sound"}.get(family, "file")
    return "text" if schema.get("type") == "string" and "enum" not in schema and "format" not in schema else "value"


def _at(value: object, *path: str) -> Mapping[str, Any]:
    """What lies there, if it is an object all the way; else an empty one."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
