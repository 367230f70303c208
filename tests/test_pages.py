"""What is typed in the README and docs/ works as printed: each page is one shell session, from top to bottom.

The local cloud stands for AWS, and a function process for Docker; `lambdacap` is what is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demo.painter import render
from demo.scenes import random_scene

from lambdacap.events import silent
from lambdacap.local import cloud
from tests import processes
from tests.command import Command
from tests.pages import PAGES, ROOT, blocks, typed
from tests.projects.folders import write
from tests.published import files

ELSEWHERE = {
    r"python3 -m venv|\. \.venv|pip install": "tests/test_pages.py",
    r"eval \"\$\(lambdacap local env|aws ": "tests/local/test_guard.py",
    r"make |eval ": "Makefile",
    r"docker build": "tests/docker/test_model.py",
    r"lambdacap build": "tests/docker/test_build.py",
    r"lambdacap deploy --boundary": "tests/resources/test_resources.py",
    r"lambdacap model fetch": "tests/model/test_fetch.py",
    r"python tests/benchmarks/serve.py": "tests/benchmarks/serve.py",
    r"python tests/benchmarks/shrunk.py": "tests/test_shrunk.py",
    r"python -m pytest -s tests/operations/test_access.py": "tests/operations/test_access.py",
}
"""What a page's session leaves out → what runs it."""
ENDLESS = re.compile(r"--follow|^lambdacap serve")
"""What ends by Ctrl-C only."""
FIRST = next(block for block in blocks(PAGES["README"]) if "lambdacap deploy --local" in block)
"""The way through the first page."""


def elsewhere(line: str) -> str | None:
    return next((where for pattern, where in ELSEWHERE.items() if re.match(pattern, line)), None)


def session(lines: list[str], command: Command, seconds: float) -> str:
    """What a shell prints that stops at the first line that fails, as wide as a terminal of 80 columns."""
    script = [f"timeout --preserve-status --signal INT 10 {line}" if ENDLESS.search(line) else line for line in lines]
    path = f"{command.executable.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-x", "-c", "\n".join(script)],
        cwd=command.folder,
        env={**command.environment, "PATH": path, "BROWSER": "true", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def reader(lambdacap: Command) -> Iterator[Command]:
    """Who has photos at hand, and a model."""
    rng = np.random.default_rng(2026)
    for name in ("scene.jpg", "photo.jpg", "photos/1.jpg", "photos/2.jpg", "more-photos/3.png"):
        (lambdacap.folder / name).parent.mkdir(exist_ok=True)
        render(random_scene(rng), rng, 640).save(lambdacap.folder / name)
    (code,) = re.findall(r"```python\n(.*?)```", PAGES["predictors"], re.DOTALL)
    write(lambdacap.folder / "sepia", {"predictor.py": code, "requirements.txt": "numpy\n"})
    yield replace(lambdacap, environ={"LAMBDACAP_LOCAL": "yes", "LAMBDACAP_DOCKER": "no", "LAMBDACAP_WEIGHTS": "demo"})
    cloud.discard(lambdacap.home, silent)


@pytest.mark.parametrize("page", [page for page in PAGES if not all(map(elsewhere, typed(PAGES[page])))])
def test_a_page_can_be_typed(page: str, reader: Command) -> None:
    lines = [line for block in blocks(PAGES[page]) if block != FIRST for line in block if not elsewhere(line)]
    if any("model.pickle" in line for line in lines):
        files.make("small", reader.folder / "model.pickle")
    if not any("lambdacap deploy" in line for line in lines):
        lines.insert(0, "lambdacap deploy --name lambdacap")
    session(lines, reader, 280)


@pytest.mark.parametrize("line", sorted({line for text in PAGES.values() for line in typed(text) if elsewhere(line)}))
def test_what_a_session_leaves_out_is_run_elsewhere(line: str) -> None:
    assert (ROOT / str(elsewhere(line))).is_file()


@pytest.mark.timeout(600)
def test_the_first_page_can_be_typed_in_a_clone(lambdacap: Command) -> None:
    clone = lambdacap.folder / "clone"
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_CERTS")}
    command = replace(lambdacap, folder=clone, environ={**pip, "LAMBDACAP_DOCKER": "no"})
    output = session(FIRST, command, 580)
    said = output.split("+ lambdacap demo scene.jpg\n")[1].splitlines()[0]
    who, answer = output.split("+ lambdacap invoke scene.jpg\n")[1].splitlines()[:2]
    assert who.startswith("the demo model answers")
    assert answer == said
    assert not lambdacap.home.exists()
    assert processes.belonging_to(lambdacap.home) == []
