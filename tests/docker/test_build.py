"""`build` with a real engine: what it prints, what it tags, what takes the room."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from lambdacap.events import silent
from lambdacap.images import docker_layers, docker_stages
from lambdacap.images.docker_stages import STAGE
from tests.command import Command
from tests.docker.relay import Relay, relay

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.fixture
def folder(with_engine: Command) -> Path:
    """An image folder to fill: `Dockerfile` is written by the test."""
    made = with_engine.folder / "image"
    made.mkdir()
    (made / "handler.py").touch()
    return made


def test_the_layers_are_named_by_what_they_hold(
    engine: docker.DockerClient, image: str, base_image: str, with_engine: Command, store: str
) -> None:
    command = replace(with_engine, environ={**with_engine.environ, "LAMBDACAP_WEIGHTS": "demo"}, seconds=300)
    built = command("build", "--json").data
    layers = {layer["name"]: layer for layer in built["layers"]}
    assert list(layers) == ["base", "requirements", "model", "code"]
    assert built["size"] == sum(layer["size"] for layer in layers.values())
    # The engine counts what files hold, or the blocks that they occupy; a tar of them has headers.
    room = 0.05 if store == "docker" else 0.2
    assert built["size"] == pytest.approx(docker_layers.unpacked(engine, built["image"]), rel=room)
    assert built["size"] == docker_layers.unpacked(engine, built["image"], trusted=0)
    assert layers["base"]["size"] == docker_layers.unpacked(engine, base_image, trusted=0)
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
    assert "  [4/6] one" in lines
    assert "  [4/6] two" in lines
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


def at(command: Command, engine: Relay) -> Command:
    return replace(command, environ={**command.environ, "DOCKER_HOST": engine.host})


def test_what_the_engine_says_is_passed_on(engine_socket: str, with_engine: Command, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY handler.py /\n", "utf-8")
    for call in ("/build", "/images/.*/get$"):
        with relay(engine_socket, call, message="unexpected EOF") as engine:
            failed = replace(with_engine, environ={**with_engine.environ, "DOCKER_HOST": engine.host})(
                "build", "--image", folder, code=1
            )
        assert "unexpected EOF" in failed.stderr
        assert "Server Error" not in failed.stderr


@pytest.mark.parametrize(
    ("call", "until", "says"),
    [
        ("/build", b"begun", "the image could not be built: the Docker engine broke off"),
        ("/images/.*/get$", b"", "could not be looked at: the Docker engine broke off"),
    ],
    ids=["while it builds", "while the image is measured"],
)
def test_an_engine_that_dies(
    call: str, until: bytes, says: str, engine_socket: str, with_engine: Command, folder: Path
) -> None:
    (folder / "Dockerfile").write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo begun; sleep 1; echo ended\nCOPY handler.py /\n", "utf-8"
    )
    with relay(engine_socket, call, until=until) as engine:
        failed = replace(with_engine, environ={**with_engine.environ, "DOCKER_HOST": engine.host})(
            "build", "--image", folder, code=1
        )
    assert says in failed.stderr
    assert "docker version" in failed.stderr


def of(engine: docker.DockerClient, folder: Path) -> set[str]:
    """What builds of `folder` left in the engine: images, stages and what they are made of."""
    filters: dict[str, str | list[str] | bool] = {"label": f"{STAGE}={docker_stages.folder_id(folder)}"}
    images = engine.images.list(all=True, filters=filters)
    return {str(found.id) for found in [*images, *engine.containers.list(all=True, filters=filters)]}


STAGES = """ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS one
RUN echo %s > /one
FROM one AS two
RUN cp /one /two
FROM ${BASE_IMAGE}
COPY --from=two /two /two
RUN %s
"""


def test_nothing_of_a_build_is_left(engine: docker.DockerClient, with_engine: Command, folder: Path) -> None:
    name = with_engine.environ["LAMBDACAP_NAME"]
    (folder / "Dockerfile").write_text(STAGES % (name, "true"), "utf-8")
    built = with_engine("build", "--image", folder, "--json").data["image"]
    assert len(of(engine, folder)) > 3
    # Another deployment of the folder, and a name that somebody gave.
    other = f"{name}-2"
    with_engine("build", "--image", folder, "--name", other)
    engine.images.get(built).tag("lambdacap-test/theirs", "1")
    docker_stages.discard(engine, name, silent)
    assert engine.images.get("lambdacap-test/theirs:1").tags == ["lambdacap-test/theirs:1"]
    engine.images.remove("lambdacap-test/theirs:1")
    assert "is built already" in with_engine("build", "--image", folder, "--name", other, "--debug").stderr
    docker_stages.discard(engine, name, silent)
    docker_stages.discard(engine, other, silent)
    assert of(engine, folder) == set()


def test_a_teardown_removes_what_was_only_built(
    engine: docker.DockerClient, with_engine: Command, folder: Path
) -> None:
    name = with_engine.environ["LAMBDACAP_NAME"]
    (folder / "Dockerfile").write_text(STAGES % (name, "true"), "utf-8")
    for options in (["--local"], ["--region", "eu-central-1"], []):  # nothing is there; no credentials; no region
        with_engine("build", "--image", folder)
        assert of(engine, folder)
        kept = with_engine("teardown", "--yes", "--keep-image", *options, code=1)
        assert "removed" not in kept.stderr
        assert of(engine, folder)
        gone = with_engine("teardown", "--yes", *options, code=1)
        assert f"removed  what was built for {name} in the engine" in gone.stderr
        assert of(engine, folder) == set()
        again = with_engine("teardown", "--yes", *options, code=1)
        assert "removed" not in again.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_an_interrupted_build_is_left(
    how: signal.Signals, engine: docker.DockerClient, with_engine: Command, folder: Path
) -> None:
    name = with_engine.environ["LAMBDACAP_NAME"]
    (folder / "Dockerfile").write_text(STAGES % (f"{name}-{how}", "sleep 60"), "utf-8")
    with with_engine.start("build", "--image", folder, "--debug") as process:
        assert process.stderr is not None
        assert any("sleep 60" in line for line in process.stderr)
        process.send_signal(how)
        process.communicate()
    assert of(engine, folder)
    deadline = time.monotonic() + 30
    while engine.containers.list(filters={"label": f"{STAGE}={docker_stages.folder_id(folder)}"}):
        assert time.monotonic() < deadline, "the engine goes on"
        time.sleep(0.1)
    docker_stages.discard(engine, name, silent, folder)
    assert of(engine, folder) == set()
