"""The AWS calls that this process makes, as botocore logs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

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
