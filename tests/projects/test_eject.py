"""`lambdacap eject`: what the image is built from, as a folder of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdacap.errors import ProjectError
from lambdacap.images import docker_context, project_context
from lambdacap.projects.eject import write
from lambdacap.settings.places import is_project
from tests.command import Command
from tests.projects.folders import SHOUT
from tests.projects.folders import write as put


def test_it_holds_the_same_context(tmp_path: Path) -> None:
    project = put(tmp_path / "project", {"predictor.py": SHOUT, "w.bin": b"w" * (2 << 20), ".env": "TOKEN=1"})
    wanted = {path: file.read_bytes() for path, file in project_context.read(project).context.items()}
    write(project, tmp_path / "image")
    found = docker_context.content(tmp_path / "image")
    assert {path: file.read_bytes() for path, file in found.items()} == wanted
    assert not is_project(tmp_path / "image")
    assert docker_context.variables(tmp_path / "image") == {"PREDICTOR": "predictor"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("there", ["a file", "a folder", "a link", "inside"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    project = put(tmp_path / "project", {"predictor.py": SHOUT})
    target = project / "image" if there == "inside" else tmp_path / "image"
    if there == "a file":
        target.write_text("mine")
    elif there == "a folder":
        put(target, {"mine": "mine"})
    elif there == "a link":
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ProjectError, match=r"is there already|lies in the project"):
        write(project, target)
    assert not (target / "Dockerfile").exists()


def test_the_command(lambdacap: Command) -> None:
    assert "there is no predictor.py here" in lambdacap("eject", "image", code=1).stderr
    lambdacap("init", "model", "--template", "text")
    said = lambdacap("eject", "image", "--image", "model", "--json")
    assert {"Dockerfile", "project/predictor.py", "lambdacap/handler.py"} <= set(said.data["files"])
    assert "lambdacap deploy --image image" in said.stderr
