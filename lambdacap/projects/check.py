"""Whether a project's predictor can be served: asked of itself, in its environment, before anything is made.

A child process imports it, in a folder as the function's will be, with no home, no key and no variable of the user's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambdacap import children
from lambdacap.errors import NotHereError, ProjectError
from lambdacap.projects.environment import Environment, lay_out
from lambdacap.storage import writing

LIMIT = 600.0
"""Seconds that the import of a predictor may take; on Lambda it has ten, then the function's timeout."""


def check(folder: Path, task: Mapping[str, Path], environment: Environment) -> dict[str, str]:
    """The inputs of the predictor in `folder`, each with its kind. `task` are the files of the function's folder.

    Raises `ProjectError` with the place or the parameter, and what would do.
    """
    with writing(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="lambdacap-") as made:
        place = lay_out(task, Path(made) / "task")
        home = Path(made) / "home"
        home.mkdir()
        status, answer, printed = _run(environment, place, home)
    told = _told(answer)
    file = folder / "predictor.py"
    if "inputs" in told:
        return {str(name): str(kind) for name, kind in told["inputs"].items()}
    if "error" not in told:
        words = f"\n{printed[-2000:].rstrip()}" if printed.strip() else ""
        raise NotHereError(
            f"{file} ended its process while it was imported ({status}){words}",
            hint="Run it in an environment of your own: `python predictor.py`.",
        )
    raise _explained(folder, told["error"])


def _run(environment: Environment, place: Path, home: Path) -> tuple[str, str, str]:
    """How the process ended, what it answered, and what it printed."""
    variables = children.environment(
        os.environ,
        [place],
        HOME=str(home),
        XDG_CACHE_HOME=str(home / ".cache"),
        LAMBDA_TASK_ROOT=str(place),
        AWS_EC2_METADATA_DISABLED="true",
    )
    with (
        tempfile.TemporaryFile() as answers,
        tempfile.TemporaryFile() as printed,
        subprocess.Popen(
            children.python("serving.check", by=environment.python),
            cwd=place,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=answers,
            stderr=printed,
            process_group=0,
        ) as process,
    ):
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired as error:
            raise NotHereError(
                f"the predictor's import did not end within {LIMIT:.0f} s",
                hint="What takes long belongs into setup(), or out of the function.",
            ) from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it, and what it has started
        for stream in (answers, printed):
            stream.seek(0)
        how = f"signal {-code}" if code < 0 else f"status {code}"
        return how, answers.read().decode("utf-8", "replace"), printed.read().decode("utf-8", "replace")


def _told(answer: str) -> dict[str, Any]:
    try:
        told = json.loads(answer.splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return told if isinstance(told, dict) else {}


def _explained(folder: Path, error: dict[str, Any]) -> ProjectError:
    if error["kind"] == "hint":
        return ProjectError(
            f"{folder / 'predictor.py'} cannot be served: {error['message']}",
            hint="docs/predictors.md lists what predict may take and give.",
        )
    where = f"{folder / error['file']}, line {error['line']}" if "file" in error else str(folder / "predictor.py")
    module = (error.get("module") or "").partition(".")[0]
    if module and not (folder / module).exists() and not (folder / f"{module}.py").exists():
        hint = f"Add the package that has {module!r} to {folder / 'requirements.txt'}."
    else:
        hint = "Correct it there; it is imported without your variables and keys, in an environment of its own."
    return NotHereError(f"{where}: {error['message']}", hint=hint)
