"""An environment of a project's own: of nothing but what it and serving require, whole or not at all."""

from __future__ import annotations

import json
import subprocess
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lambdacap.events import silent
from lambdacap.images import project_context
from lambdacap.projects import environment as environments
from lambdacap.projects import interpreter
from lambdacap.projects.environment import Environment
from tests.projects.folders import SHOUT, write


def of(folder: Path, cache: Path) -> Environment:
    files = project_context.read(folder).requirements
    return environments.environment(files, interpreter.find(None), cache)


def test_its_name_is_what_is_installed_and_by_which_python(tmp_path: Path) -> None:
    one = of(write(tmp_path / "one", {"predictor.py": SHOUT}), tmp_path)
    same = of(write(tmp_path / "other", {"predictor.py": "x = 1\n", "weights.bin": "w"}), tmp_path)
    more = of(write(tmp_path / "more", {"predictor.py": SHOUT, "requirements.txt": "numpy\n"}), tmp_path)
    newer = environments.environment(one.files, replace(one.interpreter, version="3.99.0"), tmp_path)
    assert one.name == same.name
    assert len({one.name, more.name, newer.name}) == 3


def test_it_holds_what_serving_needs_and_nothing_of_lambdacaps(environment: Environment) -> None:
    names = ("PIL", "pi_heif", "msgspec", "multipart", "soundfile", "numpy", "lambdacap", "boto3", "onnxruntime")
    code = f"import json; from importlib.util import find_spec; print(json.dumps([n for n in {names} if find_spec(n)]))"
    done = subprocess.run([environment.python, "-P", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert json.loads(done.stdout) == ["PIL", "pi_heif", "msgspec", "multipart"]


def test_what_is_there_is_not_made_again(environment: Environment, tmp_path: Path) -> None:
    before = environment.python.lstat()
    environments.make(environment, tmp_path, silent, uv="/no/such/uv")
    assert environment.python.lstat() == before


def test_one_whose_python_is_gone_is_made_anew(environment: Environment, tmp_path: Path) -> None:
    stale = replace(environment, folder=tmp_path / "environments" / "stale")
    (stale.folder / "bin").mkdir(parents=True)
    (stale.folder / "bin" / "python").symlink_to("/gone/python")
    assert not stale.ready
    environments.make(stale, tmp_path, silent, uv=interpreter.uv_binary())
    assert stale.ready


def test_what_a_killed_run_left_goes(environment: Environment, tmp_path: Path) -> None:
    wanted = replace(environment, folder=tmp_path / "environments" / "wanted")
    write(wanted.folder.parent, {".draft-1/made/bin/python": ""})
    environments.make(wanted, tmp_path, silent, uv=interpreter.uv_binary())
    assert sorted(path.name for path in wanted.folder.parent.iterdir()) == [".lock", "wanted"]


def test_two_at_once_make_one(environment: Environment, tmp_path: Path) -> None:
    wanted = replace(environment, folder=tmp_path / "environments" / "wanted")
    failures: list[BaseException] = []

    def make() -> None:
        try:
            environments.make(wanted, tmp_path, silent, uv=interpreter.uv_binary())
        except BaseException as error:  # noqa: BLE001 - the thread's own is told below
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert wanted.ready
    assert not list(wanted.folder.parent.glob(".draft-*"))


def wheel(folder: Path) -> None:
    """A package that no index has, with a file that is no valid Python, as some have them."""
    files = {"own_weights/__init__.py": "SIZE = 3\n", "own_weights/template.py": "def {name}(:\n"}
    about = "own_weights-1.0.dist-info"
    files[f"{about}/METADATA"] = "Metadata-Version: 2.1\nName: own-weights\nVersion: 1.0\n"
    files[f"{about}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
    folder.mkdir()
    with zipfile.ZipFile(folder / "own_weights-1.0-py3-none-any.whl", "w") as archive:
        for path, content in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(path, content)


@pytest.mark.parametrize("uv", [interpreter.uv_binary(), pytest.param(None, marks=pytest.mark.slow)], ids=["uv", "pip"])
def test_wheels_of_the_project_come_before_any_index(uv: str | None, tmp_path: Path) -> None:
    folder = write(tmp_path / "project", {"predictor.py": SHOUT, "requirements.txt": "own-weights==1.0\n"})
    wheel(folder / "wheels")
    wanted = of(folder, tmp_path)
    environments.make(wanted, folder, silent, uv=uv)
    said = subprocess.run(
        [wanted.python, "-P", "-c", "import own_weights; print(own_weights.SIZE)"], capture_output=True, text=True
    )
    assert said.stdout == "3\n"


@pytest.mark.slow
def test_pip_makes_the_same(environment: Environment, tmp_path: Path) -> None:
    wanted = replace(environment, folder=tmp_path / "environments" / "by-pip")
    environments.make(wanted, tmp_path, silent, uv=None)
    test_it_holds_what_serving_needs_and_nothing_of_lambdacaps(wanted)
