"""moto's server, an emulator of AWS's control plane that nobody here has written: a second opinion beside the local
cloud's."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

ACCOUNT = "123456789012"
MOTO = Path(sys.executable).with_name("moto_server")
ANSWER = '{"warm": true}'
"""What its functions answer: it runs none."""


@contextmanager
def moto_server(region: str) -> Iterator[str]:
    """Its address on a free port of 127.0.0.1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(url, process)
            _post(f"{url}/moto-api/config", {"lambda": {"use_docker": False}})
            _post(f"{url}/moto-api/static/lambda-simple/response", {"results": [ANSWER] * 100, "region": region})
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "moto_server has ended"
        try:
            requests.get(f"{url}/moto-api/", timeout=10)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("moto_server does not answer")


def _post(url: str, content: dict[str, object]) -> None:
    answer = requests.post(url, json=content, timeout=10)
    assert answer.ok, answer.text
