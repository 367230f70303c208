"""What `lambdacap eject` wrote, built and run by an engine as an image of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from lambdacap.events import silent
from lambdacap.local import cloud
from tests.command import Command
from tests.projects.folders import SHOUT, url, write


@pytest.fixture
def project(with_engine: Command) -> Iterator[Command]:
    yield replace(with_engine, seconds=300)
    cloud.discard(with_engine.home, silent)


def test_it_is_built_and_answers(project: Command) -> None:
    write(project.folder, {"model/predictor.py": SHOUT, "model/examples/hello.txt": "hello"})
    project("eject", "image", "--image", "model")
    deployed = project("deploy", "--local", "--image", "image")
    assert "runs as a process" not in deployed.stderr
    answer = requests.post(url(project), data="hello", headers={"Content-Type": "text/plain"}, timeout=60)
    assert answer.text == '"HELLO"'
    project("teardown", "--yes")
