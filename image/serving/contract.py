"""What a predictor takes and gives, read from its signature once.

A predictor is a module with `predict(…)`, a plain function with type hints, and perhaps `setup()`. Everything that a
caller is told or checked by follows from the `Contract` made here: requests, answers, /openapi.json and the page.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import msgspec

from serving.wire import HintError, PictureUpload, SoundUpload, Upload, Wire, picture_wire, struct, wire

LEGACY = "options"
"""The second parameter of `predict(image, options)`: all query parameters, as text."""


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter of `predict`. `alone` is a struct of it only; `default` is the function's own."""

    name: str
    wire: Wire
    alone: type[msgspec.Struct]
    required: bool
    default: object = None
    description: str = ""

    @property
    def kind(self) -> str:
        """`picture`, `sound`, `file`, `text`, or `value` for what comes as JSON or in a query."""
        kind = core(self.wire.type)
        if isinstance(kind, type) and issubclass(kind, Upload):
            return {PictureUpload: "picture", SoundUpload: "sound"}.get(kind, "file")
        return "text" if kind is str else "value"


@dataclass(frozen=True, slots=True, eq=False)  # one a process, by which what follows from it is kept
class Contract:
    """`inputs` by name, the first one first; `request` is the struct that a whole request becomes.

    `legacy` is the form `predict(image, options)`: a picture as the body, and the query as it is.
    """

    predict: Callable[..., Any]
    inputs: Mapping[str, Input]
    request: type[msgspec.Struct]
    answer: Any = Any
    legacy: bool = False
    title: str = ""
    description: str = ""

    @property
    def first(self) -> Input | None:
        return next(iter(self.inputs.values()), None)


def contract(module: Any) -> Contract:  # noqa: ANN401 - a predictor's module
    """The contract of a predictor's module. Raises `HintError` that names the parameter."""
    predict = getattr(module, "predict", None)
    if not callable(predict):
        raise HintError(f"{module.__name__} has no function predict")
    if inspect.iscoroutinefunction(predict) or inspect.isasyncgenfunction(predict):
        raise HintError("predict is async; a plain function is called, one request at a time")
    signature = inspect.signature(predict)
    try:
        hints = typing.get_type_hints(predict, include_extras=True)
    except NameError as error:
        raise HintError(
            f"a hint of predict names {error.name}, which its module does not know; import it there, outside of "
            "TYPE_CHECKING"
        ) from error
    title, description, fields = _documented(module, predict)
    answer = hints.get("return", Any)
    if _is_legacy(signature, hints):
        name = next(iter(signature.parameters))
        made = picture_wire(name)
        alone = struct("Request", {name: (made.type, True)}, name)
        inputs = {name: Input(name, made, alone, required=True, description=fields.get(name, ""))}
        return Contract(predict, inputs, alone, answer, True, title, description)
    inputs = {name: _input(parameter, hints, fields) for name, parameter in signature.parameters.items()}
    request = struct("Request", {name: (i.wire.type, i.required) for name, i in inputs.items()}, "predict")
    return Contract(predict, inputs, request, answer, False, title, description)


def _input(parameter: inspect.Parameter, hints: Mapping[str, Any], fields: Mapping[str, str]) -> Input:
    name = parameter.name
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise HintError(f"{name}: a request gives values by name; write parameters of predict without /, * and **")
    if name not in hints:
        raise HintError(f"{name}: predict does not say of what type it is; write a hint, for example {name}: str")
    required = parameter.default is parameter.empty
    made = wire(hints[name], name)
    alone = struct("Request", {name: (made.type, required)}, name)
    default = None if required else parameter.default
    return Input(name, made, alone, required, default, _described(hints[name]) or fields.get(name, ""))


def _is_legacy(signature: inspect.Signature, hints: Mapping[str, Any]) -> bool:
    """`predict(image, options)`, with `options` bare or a mapping of text."""
    parameters = list(signature.parameters.values())
    if len(parameters) != 2 or parameters[1].name != LEGACY:
        return False
    hint = hints.get(LEGACY, Mapping[str, str])
    mapping = get_origin(hint) or hint
    return isinstance(mapping, type) and issubclass(mapping, typing.cast("type", typing.get_origin(Mapping[str, str])))


def core(hint: Any) -> Any:  # noqa: ANN401 - a type
    """A type without marks and without None."""
    if get_origin(hint) is Annotated:
        return core(get_args(hint)[0])
    if get_origin(hint) is typing.Union:
        others = [part for part in get_args(hint) if part not in (type(None), msgspec.UnsetType)]
        return core(others[0]) if len(others) == 1 else hint
    return hint


def _described(hint: Any) -> str:  # noqa: ANN401 - a type hint
    if get_origin(hint) is not Annotated:
        return ""
    said = (mark if isinstance(mark, str) else getattr(mark, "description", None) for mark in get_args(hint)[1:])
    return " ".join(words for words in said if words)


def _documented(module: Any, predict: Callable[..., Any]) -> tuple[str, str, dict[str, str]]:  # noqa: ANN401
    """Title, description, and what the docstring says of each parameter, in the forms of Google, NumPy and Sphinx."""
    about = inspect.getdoc(module) if module.__doc__ else ""
    doc = inspect.getdoc(predict) or ""
    title = (about or doc or module.__name__).strip().partition("\n")[0].rstrip(".")
    names = list(inspect.signature(predict).parameters)
    return title, doc.partition("\n\n")[0].strip() if doc else (about or ""), dict(_parameters(doc, names))


def _parameters(doc: str, names: list[str]) -> Iterator[tuple[str, str]]:
    import re

    for name in names:
        form = rf"^[ \t]*(?::param (?:\w+ )?{name}:|{name}(?: ?\([^)\n]*\))?:)[ \t]+(\S.*)$"
        if (found := re.search(form, doc, re.MULTILINE)) or (
            found := re.search(rf"^{name} ?: .*\n[ \t]+(\S.*)$", doc, re.MULTILINE)
        ):
            yield name, found[1].strip()


def is_generator(hint: Any) -> bool:  # noqa: ANN401 - a type hint
    """Whether an answer's hint says that it comes in parts."""
    import collections.abc

    return get_origin(hint) in (collections.abc.Iterator, collections.abc.Generator, collections.abc.Iterable)
