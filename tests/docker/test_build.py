"""`build` with a real engine: what it prints, what it tags, what takes the room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import docker
import pytest

from tests.command import Command

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.fixture
def folder(with_engine: Command) -> Path:
    """An image folder to fill: `Dockerfile` is written by the test."""
    made = with_engine.folder / "image"
    made.mkdir()
    (made / "handler.py").touch()
    return made


def test_the_layers_are_named_by_what_they_hold(
    engine: docker.DockerClient, image: str, base_image: str, with_engine: Command
) -> None:
    command = replace(with_engine, environ={**with_engine.environ, "LAMBDACAP_WEIGHTS": "demo"}, seconds=300)
    built = command("build", "--json").data
    layers = {layer["name"]: layer for layer in built["layers"]}
    assert list(layers) == ["base", "requirements", "model", "code"]
    assert built["size"] == sum(layer["size"] for layer in layers.values())
    # The engine counts what files hold, a tar of them has headers as well.
    assert built["size"] == pytest.approx(engine.images.get(built["image"]).attrs["Size"], rel=0.05)
    assert layers["base"]["size"] == pytest.approx(engine.images.get(base_image).attrs["Size"], rel=0.05)
    assert 0.2 < layers["requirements"]["compressed"] / layers["requirements"]["size"] < 0.6
    assert layers["code"]["size"] < 1_000_000
    assert engine.images.get(built["image"]).labels["lambdacap"] == command.environ["LAMBDACAP_NAME"]
    # The same layers as `docker build` makes of that folder, and nothing is built again.
    assert engine.images.get(built["image"]).attrs["RootFS"] == engine.images.get(image).attrs["RootFS"]
    again = command("build", "--debug")
    assert "is built already" in again.stderr
    assert "over the base" in again.stdout
    assert built["image"] in again.stdout


def test_the_base_image_can_be_named(
    engine: docker.DockerClient, base_image: str, with_engine: Command, folder: Path
) -> None:
    (folder / "Dockerfile").write_text("ARG BASE_IMAGE=none\nFROM ${BASE_IMAGE}\nCOPY handler.py /\n", "utf-8")
    command = replace(with_engine, environ={**with_engine.environ, "LAMBDACAP_BASE_IMAGE": ""})
    built = command("build", "--image", folder, "--base-image", base_image, "--json").data["image"]
    layers = engine.images.get(base_image).attrs["RootFS"]["Layers"]
    assert engine.images.get(built).attrs["RootFS"]["Layers"][:-1] == layers
    # Another base is another content, hence another tag.
    (command.folder / "lambdacap.toml").write_text(f'base_image = "{engine.images.get(base_image).id}"\n', "utf-8")
    assert command("build", "--image", folder, "--json").data["image"] != built


def test_every_line_with_debug(with_engine: Command, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo one && echo two\nCOPY handler.py /\n", "utf-8"
    )
    lines = with_engine("build", "--image", folder, "--debug").stderr.splitlines()
    assert "  [3/5] one" in lines
    assert "  [3/5] two" in lines
    # In a pipe nothing else moves.
    quiet = with_engine("build", "--image", folder, "--name", with_engine.environ["LAMBDACAP_NAME"])
    assert len(quiet.stderr.splitlines()) == 1


def test_a_step_that_fails_is_shown_whole(with_engine: Command, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo before\nRUN echo one; echo two >&2; exit 3\n", "utf-8"
    )
    failed = with_engine("build", "--image", folder, code=1)
    assert "returned a non-zero code: 3" in failed.stderr
    lines = failed.stderr.splitlines()
    assert "one" in lines
    assert "two" in lines
    assert "before" not in lines
    assert "--debug" in failed.stderr


def test_a_base_image_that_is_nowhere(with_engine: Command, folder: Path) -> None:
    (folder / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY handler.py /\n", "utf-8")
    failed = with_engine("build", "--image", folder, "--base-image", "127.0.0.1:1/none", code=1)
    assert "could not be built" in failed.stderr
    assert "--base-image names another one" in failed.stderr
