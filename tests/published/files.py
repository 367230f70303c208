"""Model files for tests: made once a session, in a process of their own, for torch stays out of this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str | Path) -> str:
    """The output of `python -m tests.published.…` or of the converter."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'image'}:{ROOT}", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(size: str, file: Path) -> Path:
    """A pickle of the published format."""
    run("tests.published.make", size, file)
    return file


def say(model: Path, pictures: int, *beams: int) -> list[dict[str, Any]]:
    """What the published code says of the converter's own pictures, with every beam for each of them."""
    output = run("tests.published.say", model, f"synthetic:{pictures}", "--beams", *map(str, beams or (3,)))
    return [json.loads(line) for line in output.splitlines()]
