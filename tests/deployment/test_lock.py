"""One has it, the others wait or are told; a process that dies has it no more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lambdacap.deployment.lock import HeldError, held, is_held

HOLD = """import sys, time, pathlib
from lambdacap.deployment.lock import held
with held(pathlib.Path(sys.argv[1])):
    print(flush=True)
    time.sleep(60)
"""


def test_it_is_had_once_and_then_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with held(path):
        assert is_held(path)
        with pytest.raises(HeldError) as caught, held(path):
            pass
        assert caught.value.pid == str(os.getpid())
    assert not path.exists()
    assert not is_held(path)
    with held(path):
        pass


def test_the_one_who_waits_gets_it_next(tmp_path: Path) -> None:
    """Many times, since the file that was waited for is gone by then."""
    path, inside, most = tmp_path / "lock", [0], [0]

    def work() -> None:
        for _ in range(50):
            with held(path, wait=True):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not path.exists()


def test_a_killed_process_has_it_no_more(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(HeldError) as caught, held(path):
            pass
        assert caught.value.pid == str(process.pid)
        process.kill()
        process.wait()
    assert path.exists()
    with held(path):
        pass


def test_an_error_inside_releases_it(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), held(tmp_path / "lock"):
        raise BlockingIOError
    assert list(tmp_path.iterdir()) == []
