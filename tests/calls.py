"""The AWS calls that this process makes, as botocore logs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_READING = ("Get", "List", "Describe")


class Calls(list[str]):
    """Names of operations, in order."""

    @property
    def writing(self) -> list[str]:
        return [name for name in self if not name.startswith(_READING)]


class _Collector(logging.Handler):
    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self.calls = calls

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("Making request for") and isinstance(record.args, tuple):
            self.calls.append(str(getattr(record.args[0], "name", "")))


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
