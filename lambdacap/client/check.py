"""Values against the schemas of a contract, before anything is sent: what is wrong, by name, and what would do.

The schemas are a stranger's. References lead nowhere but into the same document, patterns are left to the API, since
one can be made that takes a lifetime, and so is all that takes long.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lambdacap.client.contract import Contract, Parameter, Schema
from lambdacap.errors import CallError, InputError

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_MOST = 100_000
"""Keywords of schemas that are looked at for one value, which takes a second: of what is longer the API knows more."""
_LONGEST = 300
_UNCHECKED = ("pattern", "patternProperties", "propertyNames", "format", "$dynamicRef")
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "minLength": "from {}",
    "minItems": "from {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
    "maxLength": "to {}",
    "maxItems": "to {}",
    "multipleOf": "by steps of {}",
}
_LENGTHS = {"minLength", "maxLength", "minItems", "maxItems"}


class _TooLongError(Exception):
    """There is too much to look at."""


def check_names(contract: Contract, given: Iterable[str]) -> None:
    """Raises `InputError` for an unknown name. What is `free` takes any."""
    for name in given:
        if name not in contract.parameters and not contract.free:
            raise InputError(_unknown(name, contract.parameters), hint=taken(contract))


def check_missing(contract: Contract, given: Iterable[str]) -> None:
    """Raises `InputError` for an input that must be given and is not."""
    missing = [p for name, p in contract.parameters.items() if p.required and name not in set(given)]
    if missing:
        name, file = missing[0].name, missing[0].is_file
        how = "FILE" if missing[0] == contract.first else f"-i {name}={'@FILE' if file else 'VALUE'}"
        raise InputError(f"{name} is missing: give it by {how}", hint=taken(contract))


def taken(contract: Contract) -> str:
    """A sentence on what the model takes."""
    words = [
        f"{p.name} ({expected(contract, p.schema, p)}{'' if p.required else ', may be left out'})"
        for p in contract.parameters.values()
    ]
    if not words:
        return "This model takes no inputs."
    text = f"This model takes {'; '.join(words)}."
    return text if len(text) < 2 * _LONGEST else f"{text[: 2 * _LONGEST]}…"


def check(contract: Contract, parameter: Parameter, value: Any) -> None:  # noqa: ANN401 - as JSON can hold
    """Raises `InputError` for a value that the schema refuses, and `CallError` for a schema that cannot be followed."""
    from jsonschema.exceptions import best_match

    if value is None and _takes_null(parameter.schema):
        return
    root = {**contract.core(parameter.schema), "components": contract.document.get("components", {})}
    try:
        error = best_match(_validator(root).iter_errors(value))
        told = _told(contract, parameter.name, error) if error else ""
    except _TooLongError:
        return
    except Exception as error:  # whatever a stranger's schema brings about
        raise CallError(
            f"the API describes {parameter.name} in a way that cannot be followed ({type(error).__name__})",
            hint="Is it a deployment of lambdacap that answers there?",
        ) from error
    if told:
        raise InputError(told)


def _validator(root: Mapping[str, Any]) -> Validator:
    """Of the latest draft, as OpenAPI 3.1 has it, that gives up when there is too much to do."""
    from jsonschema import validators
    from referencing import Registry

    left = _MOST

    def bounded(keyword: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        def run(*arguments: Any) -> Iterator[Any]:  # noqa: ANN401 - jsonschema's
            nonlocal left
            left -= 1
            if left < 0:
                raise _TooLongError
            yield from keyword(*arguments) or ()

        return run

    draft = validators.Draft202012Validator
    keywords = {name: bounded(keyword) for name, keyword in draft.VALIDATORS.items() if name not in _UNCHECKED}
    made = validators.create(draft.META_SCHEMA, keywords, type_checker=draft.TYPE_CHECKER)
    found: Validator = made(root, registry=Registry())
    return found


def _takes_null(schema: Schema) -> bool:
    """Whether null is one of several that a schema takes."""
    branches = schema.get("anyOf")
    found = branches if isinstance(branches, list) else []
    return any(isinstance(branch, Mapping) and branch.get("type") == "null" for branch in found)


def _told(contract: Contract, name: str, error: ValidationError) -> str:
    """What is wrong where, in words."""
    where = name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    fields = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    if error.validator == "required" and isinstance(error.instance, Mapping):
        needed: Any = error.validator_value
        missing = [field for field in needed if field not in error.instance]
        return _short(f"{where}.{missing[0]} is missing" if missing else f"{where}: a field is missing")
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping) and fields:
        extra = next((field for field in error.instance if field not in fields), "")
        return _short(f"{where}.{_unknown(extra, fields)}")
    got = "" if error.validator == "enum" else _got(error.instance)
    return _short(f"{where}: expected {expected(contract, error.schema)}{got}")


def expected(contract: Contract, schema: object, parameter: Parameter | None = None) -> str:
    """What a schema takes, in words."""
    if parameter and parameter.is_file:
        what = {"picture": "a picture", "sound": "sound", "file": "a file"}[parameter.kind]
        return f"files, each {what}" if parameter.several else what
    core = contract.core(schema)
    choices = core.get("enum")
    if isinstance(choices, list):
        return _choices(choices)
    kind = core.get("type")
    if not isinstance(kind, str):
        branches = core.get("anyOf")
        words = [expected(contract, branch) for branch in branches[:5]] if isinstance(branches, list) else []
        return _short(" or ".join(words)) if words and core is not schema else "a value that the description allows"
    return _TYPES.get(kind, "another type") + _range(core)


def _range(schema: Schema) -> str:
    bounds = [name for name in _BOUNDS if isinstance(schema.get(name), int | float)]
    words = "".join(f" {_BOUNDS[name].format(schema[name])}" for name in bounds)
    return f" with a length{words}" if _LENGTHS & {*bounds} else words


def _choices(choices: list[Any]) -> str:
    if len(choices) > 2 and all(type(choice) is int for choice in choices):
        ordered = sorted(choices)
        if ordered == list(range(ordered[0], ordered[0] + len(ordered))):
            return f"a whole number from {ordered[0]} to {ordered[-1]}"
    return _short(f"one of {', '.join(map(str, choices[:50]))}")


def _got(value: object) -> str:
    """The value itself where it is short."""
    text = json.dumps(value, ensure_ascii=False)
    return f", got {text}" if len(text) <= 40 else ""


def _unknown(name: str, there: Iterable[str]) -> str:
    known = list(there)
    near = difflib.get_close_matches(name, known[:100], n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known[:50]) or 'none'}"
    return _short(f"{name[:40]} is unknown; {meant}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
