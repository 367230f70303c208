"""AWS's calls by their names: which one an HTTP request is, and those that this process makes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, urlsplit

import botocore.session

from tests.servers import Asked

QUERY = ("iam", "sts", "sns")
"""Services that speak AWS's query protocol: an action in a form, and XML for answers."""
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_READING = ("Get", "List", "Describe")


_NAMES = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "budgets:CreateBudget": "budgets:ModifyBudget",
    "budgets:DeleteBudget": "budgets:ModifyBudget",
    "budgets:DescribeBudget": "budgets:ViewBudget",
    "budgets:DescribeSubscribersForNotification": "budgets:ViewBudget",
}
"""Operations whose permission has another name."""


class Calls(list[str]):
    """Names of operations, in order; `actions` are the permissions that they ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: set[str] = set()

    @property
    def writing(self) -> list[str]:
        return [name for name in self if not name.startswith(_READING)]


class _Collector(logging.Handler):
    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self.calls = calls

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("Making request for") and isinstance(record.args, tuple):
            model, request = cast("tuple[Any, Any]", record.args)
            self.calls.append(str(getattr(model, "name", "")))
            self.calls.actions.add(action(model, request["method"]))


def action(model: Any, method: str) -> str:  # noqa: ANN401 - botocore's OperationModel
    """The permission that an operation asks for; API Gateway's are HTTP's verbs."""
    signed = model.service_model.signing_name
    service = {"tagging": "tag", "monitoring": "cloudwatch"}.get(signed, signed)
    name = f"{service}:{method if service == 'apigateway' else model.name}"
    return _NAMES.get(name, name)


@contextmanager
def recorded() -> Iterator[Calls]:
    """The calls made within the block."""
    calls = Calls()
    logger, collector = logging.getLogger("botocore.endpoint"), _Collector(calls)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # its pages of headers help nobody who reads a failure
    try:
        yield calls
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.removeHandler(collector)


class Operation(NamedTuple):
    """`service` is the name that requests to it are signed with."""

    service: str
    name: str


def operation(asked: Asked) -> Operation | None:
    """The call that a signed request is; None for what is no AWS call."""
    signed = _SCOPE.search(asked.headers.get("authorization", ""))
    if signed is None:
        return None
    service = signed[1]
    if "x-amz-target" in asked.headers:
        return Operation(service, asked.headers["x-amz-target"].rpartition(".")[2])
    if service in QUERY and (action := parse_qs(asked.body.decode("utf-8", "replace")).get("Action")):
        return Operation(service, action[0])
    place = urlsplit(asked.path).path
    for verb, path, name in _routes(service):
        if verb == asked.method and path.fullmatch(place):
            return Operation(service, name)
    return Operation(service, f"{asked.method} {place}")


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """A REST service's operations as (method, path, name), those with the fewest parameters first.

    A service that is signed for by another name than that of its model has none.
    """
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return []
    model = session.get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.escape(http["requestUri"].partition("?")[0].rstrip("/"))
        pattern = re.sub(r"\\{\w+(\\\+)?\\}", "[^/]+", path)
        found.append((path.count("{"), (http["method"], re.compile(f"{pattern}/?"), name)))
    return [route for _, route in sorted(found, key=lambda entry: entry[0])]
