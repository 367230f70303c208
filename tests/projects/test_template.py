"""What `lambdacap init` writes: small, of one's own to change, and at work at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lambdacap.errors import ProjectError
from lambdacap.events import silent
from lambdacap.images import project_context
from lambdacap.projects import environment as environments
from lambdacap.projects import interpreter
from lambdacap.projects.check import check
from lambdacap.projects.environment import Environment, lay_out
from lambdacap.projects.template import FOLDER, TEMPLATES, write
from tests.projects.folders import write as put

ANSWERS = {
    "picture": '[{"hex": "#d01c1f", "share": 0.333}, ',
    "sound": '{"seconds": 0.5, "decibels": -9.2, "hertz": 440.0}',
    "text": '{"waves": 3, "wind": 2, ',
    "file": '{"name": {"values": 3, "mean": null}, "height": {"values": 3, "mean": 1.7',
    "record": '{"rent": 890.0, "low": 801.0, "high": 979.0}',
    "pytorch": "\\x89PNG",
    "onnx": '{"shell": 0.99',
}
"""How the answer to each one's example begins."""
ASKED = """
import handler
from serving import example
found = example.find(handler.contract_)
body = handler.predict(example.request(found, handler.contract_), {}).body
print(body if isinstance(body, str) else ascii(body)[2:])
"""
OURS = Environment(Path(sys.prefix), interpreter.find(None), {})
"""What lambdacap itself is tested in, which has the packages of most."""


def test_there_is_one_of_each() -> None:
    assert {folder.name for folder in FOLDER.iterdir()} == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_is_small(name: str, tmp_path: Path) -> None:
    files = write(name, tmp_path / "new")
    assert len(files) <= 4
    assert any(path.parts[0] == "examples" for path in files)
    assert any(path.name.startswith("test_") for path in files)
    for path in files:
        if path.suffix == ".py":
            assert len((tmp_path / "new" / path).read_text("utf-8").splitlines()) <= 25


def answers(name: str, folder: Path, environment: Environment) -> None:
    """Check the hints as a deploy does, then ask the handler for its answer to the example."""
    write(name, folder / "new")
    task = project_context.read(folder / "new").task
    assert check(folder / "new", task, environment)
    place = lay_out(task, folder / "task")
    command = [str(environment.python), "-c", ASKED]
    said = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1].startswith(ANSWERS[name])


@pytest.mark.parametrize("name", sorted({*ANSWERS} - {"onnx", "pytorch"}))
def test_it_answers_its_example(name: str, tmp_path: Path) -> None:
    answers(name, tmp_path, OURS)


@pytest.mark.slow  # torch's import
def test_pytorch_answers_its_example(tmp_path: Path) -> None:
    answers("pytorch", tmp_path, OURS)


@pytest.mark.slow  # installs what it requires
def test_onnx_answers_its_example(tmp_path: Path) -> None:
    files = project_context.read(FOLDER / "onnx").requirements
    made = environments.environment(files, interpreter.find(None), tmp_path / "cache")
    environments.make(made, FOLDER / "onnx", silent, uv=interpreter.uv_binary())
    answers("onnx", tmp_path, made)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*ANSWERS} - {"onnx"}))
def test_its_own_test_passes(name: str, tmp_path: Path) -> None:
    write(name, tmp_path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "-c",
        "/dev/null",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("there", ["predictor.py", "examples/flag.png", "requirements.txt"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    put(tmp_path, {there: "mine"})
    with pytest.raises(ProjectError, match=f"has {there} already"):
        write("picture", tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.read_text() for path in files] == ["mine"]


def test_a_captioner_over_a_predictor_is_refused(tmp_path: Path) -> None:
    """Its folder would mean the predictor that is there."""
    put(tmp_path, {"predictor.py": "mine"})
    with pytest.raises(ProjectError, match=r"predictor\.py already"):
        write("captioner", tmp_path)


def test_other_files_stay(tmp_path: Path) -> None:
    put(tmp_path, {"README.md": "mine"})
    write("text", tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "predictor.py").is_file()


def test_what_a_failure_has_written_goes(tmp_path: Path) -> None:
    (tmp_path / "examples").write_text("a file where a folder should be")
    from lambdacap.errors import LambdacapError

    with pytest.raises(LambdacapError):
        write("text", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["examples"]
