"""`lambdacap serve` under way, for tests and measurements."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.command import Command


@dataclass
class Served:
    """`url` is where it answers, `said` what it has written on stderr so far."""

    url: str
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def post(self, text: str, **query: str) -> requests.Response:
        """The answer to a text."""
        headers = {"Content-Type": "text/plain"}
        return requests.post(self.url, data=text.encode(), params=query, headers=headers, timeout=60)

    def until(self, holds: Callable[[requests.Response], bool], text: str = "hello") -> requests.Response:
        """Ask again and again until an answer is as it should be."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = self.post(text)
            if holds(answer):
                return answer
        raise AssertionError("".join(self.said))

    def says(self, words: str) -> bool:
        """Whether it says so within a while."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and words not in "".join(self.said):
            time.sleep(0.02)
        return words in "".join(self.said)


@contextmanager
def serving(command: Command, *options: object) -> Iterator[Served]:
    """Until the block ends: then by Ctrl-C."""
    with command.start("serve", "--port", 0, *options) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        served = Served(process.stdout.readline().strip(), process)
        reading = threading.Thread(target=lambda lines: served.said.extend(lines), args=[process.stderr])
        reading.start()
        try:
            yield served
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            finally:
                process.kill()
            reading.join()
