"""Trying again and waiting, by name: botocore itself retries throttling, 5xx and broken connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from botocore.exceptions import ClientError

T = TypeVar("T")


def retry(
    call: Callable[[], T],
    *,
    when: Callable[[ClientError], bool],
    limit: float,
    every: float,
    waiting: Callable[[float, float], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Repeat `call` every so many seconds while it fails with an error that `when` knows, for `limit` seconds at most.

    `waiting` is told each second how many have been spent so far, and how many are left until the next try.
    """
    start = clock()
    while True:
        try:
            return call()
        except ClientError as error:
            spent = clock() - start
            if not when(error) or spent + every > limit:
                raise
        left = every
        while left > 0:
            waiting(clock() - start, left)
            sleep(min(1.0, left))
            left -= 1.0


def moments(
    limit: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[float]:
    """When to look at what takes a while: seconds since the start, from 0 to `limit`, soon seldom (every 2 s)."""
    start, pause = clock(), 0.2
    while (spent := clock() - start) <= limit:
        yield spent
        sleep(pause)
        pause = min(2.0, pause * 1.5)
