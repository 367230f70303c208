"""The installed command as a subprocess, in an environment that knows nothing of this machine's user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_ENGINE = "unix:///nowhere/docker.sock"
LAMBDACAP = Path(sys.executable).with_name("lambdacap")


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Command:
    """Runs `lambdacap` in `folder` with its state in `home`; `environ` adds to a clean environment.

    A command that takes longer than `seconds` fails.
    """

    folder: Path
    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    executable: Path = LAMBDACAP
    seconds: float = 120

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),  # no ~/.aws there
            "LAMBDACAP_HOME": str(self.home),
            "AWS_EC2_METADATA_DISABLED": "true",  # the role of the machine that tests is nobody's business
            "DOCKER_HOST": NO_ENGINE,
            "PYTHONWARNINGS": "always::ResourceWarning",  # what is left open says so on stderr
            **self.environ,
        }

    def start(self, *arguments: object, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.executable, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def __call__(self, *arguments: object, code: int | None = 0) -> Result:
        """The result; asserts the exit code unless `code` is None, and that nothing was left open."""
        with self.start(*arguments) as process:
            stdout, stderr = process.communicate(timeout=self.seconds)
        result = Result(process.returncode, stdout, stderr)
        assert code is None or result.code == code, f"exit code {result.code}\n{stdout}\n{stderr}"
        assert "ResourceWarning" not in stderr, stderr
        return result
