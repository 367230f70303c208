"""What takes too much memory or time is ended, and the limits end with the block."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator

import pytest
from convert.errors import ConvertError
from convert.limits import limited

NEVER = 1 << 40


def compute() -> None:
    while True:
        pass


def wait() -> None:
    with limited(memory=NEVER, seconds=5):
        pass
    time.sleep(20)


def settings() -> tuple[object, ...]:
    kinds = (resource.RLIMIT_DATA, resource.RLIMIT_CPU)
    signals = (signal.SIGALRM, signal.SIGXCPU)
    return (*map(resource.getrlimit, kinds), *map(signal.getsignal, signals))


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = settings()
    yield
    assert settings() == before


def test_what_only_waits_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(ConvertError, match="takes longer to convert"), limited(memory=NEVER, minutes=0.005):
        time.sleep(20)
    assert time.monotonic() - began < 5


def test_what_computes_is_ended() -> None:
    with pytest.raises(ConvertError, match="takes longer to read"), limited(memory=NEVER, seconds=1):
        compute()


def test_what_takes_memory_is_ended() -> None:
    with pytest.raises(MemoryError), limited(memory=1 << 20):
        bytearray(1 << 28)


def test_one_within_the_other() -> None:
    with pytest.raises(ConvertError, match="to convert"), limited(memory=NEVER, minutes=0.005):
        wait()
