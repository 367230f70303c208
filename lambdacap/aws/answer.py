"""What AWS answers: as botocore reads it, but what is missing or odd is told as what it is, and no defect of ours.

botocore takes what is not there, and most of what is there, as it comes: an emulator, a proxy in between or a new
state of a service may leave out what has always been there, or say it otherwise. What is there is held against the
service's model; what is not is told when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from lambdacap.errors import AwsError

if TYPE_CHECKING:
    import boto3
    from botocore.client import ClientMeta
    from botocore.model import Shape


_HINT = (
    "Run the same command again. If it stays so, what answers there is not AWS as it is known: a proxy, an emulator, "
    "or a service that has changed."
)


class Answer(dict[str, Any]):
    """A dictionary of an answer. Raises `AwsError` where `answer["Field"]` is asked for and is not there."""

    def __init__(self, content: Mapping[str, Any], operation: str, shape: Shape | None = None) -> None:
        members: Mapping[str, Shape] = getattr(shape, "members", {})
        super().__init__({key: _wrapped(value, operation, members.get(key), key) for key, value in content.items()})
        self.operation = operation

    def __missing__(self, field: str) -> NoReturn:
        raise _odd(self.operation, f"lacks {field}")


class Listed(list[Any]):
    """A list of an answer. Raises `AwsError` where the first of `field` is asked for and there is none."""

    def __init__(self, content: Iterable[Any], operation: str, field: str) -> None:
        super().__init__(content)
        self.operation, self.field = operation, field

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - as lists have it
        try:
            return super().__getitem__(index)
        except IndexError as error:
            raise _odd(self.operation, f"has nothing in {self.field}") from error


def document(text: object) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """JSON in a text of an answer, such as a policy; the text itself when it is none, which then is another policy."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return text


def payload(answer: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """What a function returned to Invoke. Raises `AwsError` when that is no JSON."""
    content = answer["Payload"].read()
    try:
        return json.loads(content or b"null")
    except (ValueError, RecursionError) as error:
        raise AwsError(
            f"the function returned what is no JSON: {content[:80]!r}", operation="lambda:Invoke", hint=_HINT
        ) from error


def check(session: boto3.Session) -> None:
    """Have every client that `session` makes from now on answer with `Answer` (boto3's guide: extensibility)."""
    session.events.register("creating-client-class", _add)


def _add(base_classes: list[type], **_: object) -> None:
    base_classes.insert(0, _Checked)


class _Checked:
    meta: ClientMeta

    def _make_api_call(self, operation_name: str, api_params: object) -> Answer:
        try:
            content = super()._make_api_call(operation_name, api_params)  # type: ignore[misc]
        except (BotoCoreError, ClientError):
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # where botocore takes it apart
            raise _odd(operation_name, f"cannot be read: {error}") from error
        shape = self.meta.service_model.operation_model(operation_name).output_shape
        return Answer(content, operation_name, shape)


_KINDS: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "timestamp": datetime,
}
"""botocore's names of what a field holds, and what it gives out for them."""
_DECODED = "policyDocumentType"
"""A text in IAM's model, of which botocore makes an object."""


def _wrapped(value: object, operation: str, shape: Shape | None, field: str) -> object:
    """`value`, checked against its shape, if it has one; and what is in it."""
    kind = _KINDS.get(shape.type_name, object) if shape and shape.name != _DECODED else object
    if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
        raise _odd(operation, f"has no {shape and shape.type_name} in {field}, but {value!r:.80}")
    if isinstance(value, dict):
        values = getattr(shape, "value", None)
        if values is not None:  # a map
            return Answer({key: _wrapped(part, operation, values, field) for key, part in value.items()}, operation)
        return Answer(value, operation, shape)
    if isinstance(value, list):
        member = getattr(shape, "member", None)
        return Listed((_wrapped(part, operation, member, field) for part in value), operation, field)
    return value


def _odd(operation: str, what: str) -> AwsError:
    return AwsError(f"the answer to {operation} {what}", operation=operation, hint=_HINT)
