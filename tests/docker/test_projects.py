"""Projects in containers, as Lambda runs them: what a process on this machine answers, a container does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from lambdacap.events import silent
from lambdacap.local import cloud
from tests.command import Command
from tests.docker.test_image import inside, layers
from tests.docker.test_local import containers
from tests.projects.folders import url, write
from tests.projects.kinds import KINDS
from tests.projects.test_kinds import as_json, curl, make, read

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture
def project(with_engine: Command) -> Iterator[Command]:
    yield replace(with_engine, seconds=800)
    cloud.discard(with_engine.home, silent)


@pytest.mark.parametrize("name", ["sound-to-segments", "picture-to-picture"])
def test_a_kind_in_a_container(name: str, engine: docker.DockerClient, project: Command, tmp_path: Path) -> None:
    kind = KINDS[name]
    make(project.folder, kind, tmp_path)
    write(project.folder, {".env": "TOKEN=secret", "large.bin": bytes(2 << 20)})
    deployed = project("deploy", "--local")
    assert f"{project.folder}/predictor.py: {kind.said}" in deployed.stderr
    assert "no Docker engine" not in deployed.stderr
    address = url(project)
    (tmp_path / "request.json").write_text(as_json(kind))
    assert kind.right(read(curl("--json", f"@{tmp_path / 'request.json'}", address)))
    example = project.folder / "examples" / kind.example
    header = f"Content-Type: {kind.media_type}"
    assert kind.right(read(curl("--data-binary", f"@{example}", "--header", header, address)))
    (container,) = containers(engine, project)
    image = container.attrs["Config"]["Image"]
    code = """
import json, os, pathlib
root = pathlib.Path(os.environ["LAMBDA_TASK_ROOT"])
print(json.dumps([os.environ["PREDICTOR"], sorted(path.name for path in root.iterdir() if path.suffix != ".onnx")]))
"""
    names = ["__pycache__", "examples", "handler.py", "large.bin", "predictor.py", "requirements.txt", "serving"]
    assert inside(engine, image, code) == ["predictor", names]

    # A change of code is a layer of its own, and what is built already is not built again.
    before = layers(engine, image)
    write(project.folder, {"predictor.py": kind.code + "\n# changed\n"})
    project("deploy", "--local")
    (after,) = {container.attrs["Config"]["Image"] for container in containers(engine, project)} - {image} or {image}
    assert layers(engine, after)[:-1] == before[:-1]
    built = project("build", "--local", "--json").data
    assert [layer["name"] for layer in built["layers"]] == ["base", "requirements", "large", "project"]
    assert json.loads(curl(f"{address}openapi.json"))["info"]["title"]
