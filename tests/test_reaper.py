"""A test run that is killed leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import processes
from tests.reaper import PROJECT

TEST = "tests/local/test_cloud.py::test_it_outlives_the_command_and_listens_on_this_machine_only"


@pytest.mark.slow
def test_a_killed_run_leaves_no_local_cloud(tmp_path: Path) -> None:
    folder = tmp_path / "of the run"
    command = [sys.executable, "-m", "pytest", "-q", TEST, f"--basetemp={folder}"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL) as run:
        wait_until(lambda: any(folder.rglob("cloud.pid")))
        run.kill()
    wait_until(lambda: processes.working_in(folder) == [])


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
