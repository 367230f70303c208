"""A client that asks at a steady rate, whatever becomes of the answers, as long as few enough are outstanding."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from lambdacap.local import cloud

AT_ONCE = cloud.CONCURRENCY - 2
"""Fewer than the local cloud takes at a time, which answers 429 to more; a deploy calls the function too."""


@dataclass(frozen=True)
class Heard:
    """One answer: its status (0: none came), its text, and the seconds that it took."""

    status: int
    text: str
    seconds: float


@contextmanager
def asking(url: str, *, per_second: float, body: bytes, media_type: str = "image/jpeg") -> Iterator[list[Heard]]:
    """Posts `body` for as long as the block runs; the list holds what was heard once it is left."""
    heard: list[Heard] = []
    pending: list[Future[Heard]] = []
    stop = threading.Event()
    local = threading.local()

    def ask() -> Heard:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
        begin = time.monotonic()
        try:
            answer = local.session.post(url, data=body, headers={"Content-Type": media_type}, timeout=30)
        except requests.RequestException as error:
            return Heard(0, str(error), time.monotonic() - begin)
        return Heard(answer.status_code, answer.text, time.monotonic() - begin)

    def pace() -> None:
        begin = time.monotonic()
        while not stop.wait(max(0.0, begin + len(pending) / per_second - time.monotonic())):
            pending.append(pool.submit(ask))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        thread = threading.Thread(target=pace)
        thread.start()
        try:
            yield heard
        finally:
            stop.set()
            thread.join()
            heard.extend(future.result() for future in pending)
