"""Which Python a project runs by on this machine: the image's if it is here, else lambdacap's own."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lambdacap import children

_VERSION = re.compile(r":[^:/@]*?(3\.\d+)(?![\d.])[^:/]*$|:[^:/@]*?(3\.\d+)\.\d+[^:/]*$")
_SAYS = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Interpreter:
    """`version` in full, such as 3.13.1; `missing` is the image's where this is another."""

    path: Path
    version: str
    missing: str = ""

    @property
    def minor(self) -> str:
        return self.version.rpartition(".")[0]


def version_of(base_image: str | None) -> str | None:
    """The Python of a base image by its tag: `public.ecr.aws/lambda/python:3.13` has 3.13. None: it does not say."""
    found = _VERSION.search(base_image or "")
    return next(filter(None, found.groups())) if found else None


@lru_cache
def find(wanted: str | None) -> Interpreter:
    """The Python of that version, or lambdacap's own where none is wanted or none is here."""
    own = Interpreter(Path(sys.executable), platform.python_version().partition("+")[0])
    if wanted in (None, own.minor):
        return own
    for path in _candidates(wanted or ""):
        version = _asked(path)
        if version and version.rpartition(".")[0] == wanted:
            return Interpreter(path, version)
    return Interpreter(own.path, own.version, missing=wanted or "")


def _candidates(wanted: str) -> Iterator[Path]:
    """Where that Python may be: on the path, in pyenv's folder, or as uv knows it."""
    if found := shutil.which(f"python{wanted}"):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{wanted}.*/bin/python{wanted}"), reverse=True)
    if uv := uv_binary():
        said = _output([uv, "python", "find", "--no-python-downloads", "--no-project", wanted])
        if said:
            yield Path(said)


def uv_binary() -> str | None:
    """uv, on the path or beside lambdacap; None where it is not installed."""
    beside = Path(sys.executable).with_name("uv")
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)


def _asked(python: Path) -> str:
    return _output([str(python), "-I", "-c", _SAYS])


def _output(command: list[str]) -> str:
    """What a program prints; nothing of one that fails, as a shim does for a version that is not chosen.

    It is run where no `.venv`, `uv.toml` or `.python-version` of the current folder says what to run, or how.
    """
    environment = children.environment(os.environ)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            env=environment,
            stdin=subprocess.DEVNULL,
            cwd=os.sep,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
