"""What AWS answers: as botocore reads it, but a field that is missing is told as what it is, and no defect of ours.

botocore checks what is there against the service's model, and takes what is not there as it comes: an emulator, a
proxy in between or a new state of a service may leave out what has always been there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from lambdacap.errors import AwsError

if TYPE_CHECKING:
    import boto3


_HINT = (
    "Run the same command again. If it stays so, what answers there is not AWS as it is known: a proxy, an emulator, "
    "or a service that has changed."
)


class Answer(dict[str, Any]):
    """A dictionary of an answer. Raises `AwsError` where `answer["Field"]` is asked for and is not there."""

    def __init__(self, content: Mapping[str, Any], operation: str) -> None:
        super().__init__({key: _wrapped(value, operation) for key, value in content.items()})
        self.operation = operation

    def __missing__(self, field: str) -> NoReturn:
        raise AwsError(
            f"the answer to {self.operation} lacks {field}",
            operation=self.operation,
            hint=_HINT,
        )


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
    def _make_api_call(self, operation_name: str, api_params: object) -> Answer:
        try:
            content = super()._make_api_call(operation_name, api_params)  # type: ignore[misc]
        except (BotoCoreError, ClientError):
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # where botocore takes it apart
            raise AwsError(
                f"the answer to {operation_name} cannot be read: {error}", operation=operation_name, hint=_HINT
            ) from error
        return Answer(content, operation_name)


def _wrapped(value: object, operation: str) -> object:
    if isinstance(value, dict):
        return Answer(value, operation)
    if isinstance(value, list):
        return [_wrapped(part, operation) for part in value]
    return value
