"""The modest form of tests/benchmarks/load.py: the demo model under load, with no error and no growth."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from PIL import Image

from lambdacap.events import silent
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.settings import Settings
from tests.image.samples import encode
from tests.processes import working_in

AT_ONCE = 2
PHOTO = encode(Image.linear_gradient("L").convert("RGB").resize((320, 240)), "JPEG")


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    """The demo model in the session's local cloud."""
    captioner = replace(settings, image=Settings().image, weights="demo", rate=1000, burst=1000)
    yield deploy.deploy(captioner, silent).deployment.url or ""
    teardown(captioner, silent)


def posted(url: str, count: int) -> Counter[tuple[int, str]]:
    """How often which status and caption came of `count` requests."""

    def post(_: int) -> tuple[int, str]:
        answer = requests.post(url, data=PHOTO, headers={"Content-Type": "image/jpeg"}, timeout=60)
        return answer.status_code, str(answer.json().get("caption", ""))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(post, range(count)))


def function_processes(settings: Settings) -> list[int]:
    return working_in(settings.home / "local" / "images" / settings.name)


def kill(settings: Settings) -> None:
    for pid in function_processes(settings):
        os.kill(pid, signal.SIGKILL)


def memory(settings: Settings) -> float:
    """MB of the function's processes."""
    pages = (int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) for pid in function_processes(settings))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_load_is_served_without_errors_and_without_growth(url: str, settings: Settings) -> None:
    warm = posted(url, 60)
    assert len(warm) == 1
    before = memory(settings)
    assert posted(url, 200).keys() == warm.keys()
    assert memory(settings) < before + 20
    assert len(function_processes(settings)) <= AT_ONCE


def test_a_killed_process_loses_no_more_than_what_it_was_at(url: str, settings: Settings) -> None:
    posted(url, 4)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(posted, url, 100)
        kill(settings)
        statuses = Counter(status for status, _ in load.result().elements())
    assert set(statuses) <= {200, 502}
    assert statuses[502] <= AT_ONCE
    assert set(posted(url, 4)) == {key for key in load.result() if key[0] == 200}
