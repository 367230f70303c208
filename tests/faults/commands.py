"""`lambdacap` commands as processes of their own that start in milliseconds: forks of one that has imported it all.

Run as a module it is that one process: it reads a JSON line for each command, forks, and answers with the process
id, then with the exit code. Its clock runs ahead while somebody sleeps, so that patience takes no time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.command import NO_ENGINE, Result

ROOT = Path(__file__).parents[2]
READ_TIMEOUT = 1.5
"""Seconds; more than any answer of the local cloud takes here, but for a function's start."""
START_TIMEOUT = 10.0
"""Seconds; more than that takes."""


class Commands:
    """Runs `lambdacap` in `folder` with its state in `home`, one command at a time."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._pid = 0
        self._started = threading.Event()

    def __call__(self, *arguments: object) -> Result:
        """Runs one command to its end; the code is negative if a signal ended it."""
        assert self._process.stdin is not None
        self._started.clear()
        self._process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        self._process.stdin.flush()
        self._pid = self._read()
        self._started.set()
        code = self._read()
        out, err = (self._folder / name for name in ("stdout", "stderr"))
        return Result(code, out.read_text("utf-8"), err.read_text("utf-8"))

    def kill(self) -> None:
        """Ends the command that runs, as `kill -9` does."""
        assert self._started.wait(10)
        os.kill(self._pid, signal.SIGKILL)

    def _read(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that starts the commands has ended"
        return int(line)


@contextmanager
def commands(folder: Path, home: Path) -> Iterator[Commands]:
    """The commands, with an environment that knows nothing of this machine's user."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "LAMBDACAP_HOME": str(home),
        "DOCKER_HOST": NO_ENGINE,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.commands"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Commands(process, folder)
        assert process.stdin is not None
        process.stdin.close()


def run_ahead() -> None:
    """Make this process's clock leap over what is slept: 1 s of a countdown takes 20 ms and counts as 1.

    Short waits are waited out: in those for Lambda, the local cloud takes its time.
    """
    sleep, monotonic, leapt = time.sleep, time.monotonic, 0.0

    def leap(seconds: float) -> None:
        nonlocal leapt
        real = seconds if seconds < 0.4 else 0.02
        sleep(real)
        leapt += seconds - real

    time.sleep = leap  # type: ignore[assignment]
    time.monotonic = lambda: monotonic() + leapt


def serve() -> None:
    run_ahead()  # before anything takes `sleep` for a default
    import boto3
    from botocore.loaders import JSONFileLoader, Loader, create_loader

    from lambdacap.aws import clients
    from lambdacap.cli import main
    from lambdacap.settings import Settings

    modules = (
        *(f"operations.{name}" for name in ("deploy", "teardown", "rollback", "status")),
        *("cli.views.tables", "cli.checks", "insight.cost", "insight.policy", "aws.prices"),
    )
    others = ("docker", "requests", "rich.status", "rich.table", "typer._adapters")
    for module in (*others, *(f"lambdacap.{name}" for name in modules)):
        importlib.import_module(module)
    # Each command would look for and parse the descriptions of ten services, which takes longer than all of its calls.
    parse, known = cache(JSONFileLoader().load_file), cache(create_loader().list_available_services)
    JSONFileLoader.load_file = lambda _, path: parse(path)  # type: ignore[assignment, method-assign]
    Loader.list_available_services = lambda _, type_name: known(type_name)  # type: ignore[assignment, method-assign]
    session = boto3.Session(region_name="us-east-1")
    for service in ("sts", "ecr", "iam", "logs", "lambda", "apigateway", "sns", "cloudwatch", "budgets"):
        session.client(service)
    session.client("resourcegroupstaggingapi")
    clients.READ_TIMEOUT = READ_TIMEOUT
    clients.START_MARGIN = START_TIMEOUT - Settings().timeout
    gc.freeze()  # or each command would look through all of that for garbage, and copy its pages
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.argv = ["lambdacap", *json.loads(line)]
            for number, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            code: object = 0
            try:
                main()
            except SystemExit as stop:
                code = stop.code
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 0 if code is None else 1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
