"""The wheel in an environment of its own, far from the checkout: it deploys what it carries."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
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

ROOT = Path(__file__).parent.parent
SCENES = 5
RIGHT = 4
"""Of that many scenes; how good the model is, is tests/image's business."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel; what it depends on is borrowed from ours, which takes seconds less."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True, capture_output=True)
    purelib = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    # A path in a .pth file is searched last, and the .pth files there (our editable install) are not read.
    (Path(purelib) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return folder


@pytest.fixture
def installed(environment: Path, lambdacap: Command) -> Iterator[Command]:
    yield replace(lambdacap, executable=environment / "bin" / "lambdacap", environ={"LAMBDACAP_DOCKER": "no"})
    cloud.discard(lambdacap.home, silent)


def test_the_wheel_holds_what_goes_to_lambda_and_no_litter(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        f"lambdacap/image/{name}"
        for name in ("Dockerfile", ".dockerignore", "handler.py", "serving/page/photo.html", "project.Dockerfile")
    } <= names
    assert "lambdacap/image/captioner/__init__.py" in names
    assert "lambdacap/image/demo/bundle/model.json" in names
    assert "lambdacap/py.typed" in names
    shipped = [path.relative_to(ROOT) for path in (ROOT / "lambdacap/projects/templates").rglob("*") if path.is_file()]
    assert {path.as_posix() for path in shipped if "__pycache__" not in path.parts} <= names
    litter = ("__pycache__", "_cache/", ".pyc", "tests/", ".venv", ".DS_Store", "image/model/", "image/wheels/")
    assert [name for name in names if any(piece in name for piece in litter)] == []
    assert wheel.stat().st_size < 5_000_000


def test_the_package_comes_from_the_wheel(environment: Path) -> None:
    code = (
        "import json, lambdacap, lambdacap.settings as s;"
        "print(json.dumps([lambdacap.__file__, str(s.default_image())]))"
    )
    python = environment / "bin" / "python"
    output = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd="/").stdout
    for place in json.loads(output):
        assert Path(place).is_relative_to(environment)


def test_it_deploys_captions_and_goes_from_any_folder(installed: Command) -> None:
    rng = np.random.default_rng(2026)
    wanted = []
    for number in range(SCENES):
        scene = random_scene(rng)
        render(scene, rng, 640).save(installed.folder / f"{number}.jpg")
        wanted.append(scene.caption())
    assert installed("deploy", "--local").stdout.startswith("http://127.0.0.1:")
    answers = installed("invoke", *(f"{number}.jpg" for number in range(SCENES)), "--json").stdout.splitlines()
    captions = [json.loads(answer)["caption"] for answer in answers]
    assert sum(said == true for said, true in zip(captions, wanted, strict=True)) >= RIGHT, (captions, wanted)
    assert installed("deploy", "--local", "--json").data["changed"] is False
    installed("teardown", "--yes")
    assert not installed.home.exists()
    assert processes.belonging_to(installed.home) == []
