"""The tree of errors is the one that its docstring draws."""

from __future__ import annotations

import re

import pytest

import lambdacap.errors
from lambdacap.errors import AwsError, CallError, LambdacapError


def drawn() -> dict[str, str]:
    """Class → the class above it, as the docstring has it."""
    lines = (lambdacap.errors.__doc__ or "").splitlines()
    matches = [re.match(r"    ([ │├└─]*)(\w+Error)  ", line) for line in lines]
    parents: dict[str, str] = {}
    path: list[str] = []
    for match in filter(None, matches):
        depth = len(match[1]) // 4
        path[depth:] = [match[2]]
        parents[match[2]] = path[depth - 1] if depth else "Exception"
    return parents


def real(root: type[Exception]) -> dict[str, str]:
    tree = {root.__name__: (root.__base__ or object).__name__}
    for child in root.__subclasses__():
        tree |= real(child)
    return tree


def test_the_docstring_draws_the_tree() -> None:
    assert drawn() == real(LambdacapError)
    assert len(drawn()) > 5


@pytest.mark.parametrize("kind", LambdacapError.__subclasses__())
def test_every_error_has_a_message_and_a_hint(kind: type[LambdacapError]) -> None:
    error = kind("what", hint="do")
    assert (str(error), error.message, error.hint) == ("what", "what", "do")
    assert kind("what").hint == ""
    assert kind.__doc__


def test_errors_of_calls_know_their_code() -> None:
    refused = AwsError("no", operation="lambda:Invoke", code="AccessDenied")
    assert (refused.operation, refused.code) == ("lambda:Invoke", "AccessDenied")
    answer = CallError("no", status=413, code="image_too_large")
    assert (answer.status, answer.code) == (413, "image_too_large")
