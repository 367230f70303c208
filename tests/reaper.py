"""Ends what a test run leaves behind that was killed: `python -m tests.reaper FOLDER`, run by tests/conftest.py.

It waits until its standard input closes, which happens however the test run ends, and then kills whatever works in
the run's temporary folder: local clouds outlive their commands on purpose.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import processes

PROJECT = Path(__file__).parent.parent


@contextlib.contextmanager
def reaping(folder: Path) -> Iterator[None]:
    """While the block runs, and not a moment longer, processes may work in `folder`."""
    command = [sys.executable, "-m", "tests.reaper", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=PROJECT, start_new_session=True) as process:
        yield
        assert process.stdin
        process.stdin.close()


def main(folder: Path) -> None:
    sys.stdin.read()
    for pid in processes.working_in(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
