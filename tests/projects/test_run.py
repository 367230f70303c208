"""`lambdacap run` in a project's folder."""

from __future__ import annotations

import base64

import pytest

from tests.command import Command
from tests.projects.folders import write


def test_it_answers_as_invoke_does(project: Command) -> None:
    assert project("run", "examples/hello.txt").stdout == "HELLO\n"
    assert project("run", "-i", "text=hi", "-i", "times=2", "--json").data == {"input": None, "answer": "HI HI"}
    assert not (project.home / "local").exists()
    assert (
        'times: expected a whole number, got "often"'
        in project("run", "-i", "text=a", "-i", "times=often", code=1).stderr
    )
    assert "there is no file nope.txt" in project("run", "nope.txt", code=1).stderr
    assert "name a FILE, or an input" in project("run", code=2).stderr


def test_many_and_their_files(project: Command) -> None:
    pixel = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
    )
    code = "from PIL.Image import Image\ndef predict(photo: Image) -> Image:\n    return photo.resize((2, 2))\n"
    write(project.folder, {"predictor.py": code, "photos/a.png": pixel, "photos/b.png": pixel})
    project("run", "photos", "--output", "made")
    assert sorted(path.name for path in (project.folder / "made").iterdir()) == ["a.png", "b.png"]


def test_a_mistake_is_told(project: Command) -> None:
    write(project.folder, {"predictor.py": "def predict(text: str):\n    print('looking')\n    return {}[text]\n"})
    said = project("run", "-i", "text=hi", code=1)
    assert said.stdout == ""
    assert said.stderr.splitlines()[-3:] == [
        "looking",
        f"error: {project.folder}/predictor.py, line 3: KeyError: 'hi'",
        "hint:  Correct it there.",
    ]


def test_without_a_project(lambdacap: Command) -> None:
    said = lambdacap("run", "-i", "a=b", code=1).stderr
    assert "there is no predictor.py here" in said
    assert "`lambdacap init DIR` begins one" in said


@pytest.mark.slow
def test_the_captioner(lambdacap: Command) -> None:
    lambdacap("init", "--template", "captioner")
    assert lambdacap("run", "examples/scene.jpg").stdout == "a small black cross on the right\n"
