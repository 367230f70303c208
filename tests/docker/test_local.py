"""`deploy --local` with an engine: the function is the pushed image, in a container."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container

from lambdacap.aws.clients import connect
from lambdacap.events import silent
from lambdacap.local import cloud
from lambdacap.operations import deploy as pipeline
from lambdacap.settings import load
from tests.calls import recorded
from tests.command import Command
from tests.docker.test_image import photo
from tests.resources.test_drift import CALLS_OF_A_DEPLOY_WITHOUT_CHANGE

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.fixture
def own_cloud(with_engine: Command, image: str) -> Iterator[Command]:
    """The command in a home of its own. `image` has been built before: the slow steps are in the engine's cache."""
    assert image
    (with_engine.folder / "photo.jpg").write_bytes(photo())
    yield replace(with_engine, seconds=300)
    cloud.discard(with_engine.home, silent)


def containers(engine: docker.DockerClient, command: Command) -> list[Container]:
    """The containers that run this deployment's image."""
    found: list[Container] = engine.containers.list(
        all=True, filters={"label": [f"lambdacap={command.environ['LAMBDACAP_NAME']}", "ministack=lambda"]}
    )
    return found


def images(engine: docker.DockerClient, command: Command) -> list[Any]:
    return list(engine.images.list(filters={"label": f"lambdacap={command.environ['LAMBDACAP_NAME']}"}))


def test_the_function_is_the_pushed_image(engine: docker.DockerClient, own_cloud: Command) -> None:
    own_cloud = replace(own_cloud, environ={**own_cloud.environ, "LAMBDACAP_WEIGHTS": "demo"})
    deployed = own_cloud("deploy", "--local", "--json").data
    assert "@sha256:" in deployed["resources"]["image"]["uri"]
    (container,) = containers(engine, own_cloud)
    host = container.attrs["HostConfig"]
    assert (host["ReadonlyRootfs"], list(host["Tmpfs"])) == (True, ["/tmp"])  # noqa: S108
    status = own_cloud("status", "--json").data
    assert (status["complete"], status["differences"], status["runs_as"]) == (True, [], "container")
    assert "a container of the image" in own_cloud("status").stdout
    inside = own_cloud("invoke", "photo.jpg", "--json").data
    assert "START RequestId" in container.logs().decode()
    assert own_cloud("deploy", "--local", "--json").data["changed"] is False

    # The same deployment as a process, and back.
    own_cloud("deploy", "--local", "--no-docker")
    assert containers(engine, own_cloud) == []
    assert own_cloud("status", "--json").data["runs_as"] == "process"
    beside = own_cloud("invoke", "photo.jpg", "--json").data
    assert (beside["caption"], beside["words"]) == (inside["caption"], inside["words"])
    assert beside["log_probability"] == pytest.approx(inside["log_probability"], abs=1e-4)
    own_cloud("deploy", "--local")
    assert own_cloud("status", "--json").data["runs_as"] == "container"
    assert own_cloud("invoke", "photo.jpg", "--json").data["caption"] == inside["caption"]

    # A stop ends the containers; what is deployed comes back with the next start.
    own_cloud("local", "stop")
    assert containers(engine, own_cloud) == []
    own_cloud("local", "start")
    assert own_cloud("invoke", "photo.jpg", "--json").data["caption"] == inside["caption"]
    assert len(containers(engine, own_cloud)) == 1

    own_cloud("teardown", "--yes")
    assert containers(engine, own_cloud) == []
    assert images(engine, own_cloud) == []
    assert not own_cloud.home.exists()


def test_the_live_and_the_previous_image_stay_in_the_repository(
    engine: docker.DockerClient, own_cloud: Command, base_image: str, tmp_path: Path
) -> None:
    assert base_image
    assert engine.ping()
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY handler.py /var/task/\nCMD ["handler.handler"]\n', "utf-8"
    )

    def deploy(words: str) -> str:
        code = f"def handler(event, context):\n    return {{'statusCode': 200, 'body': '{words}'}}\n"
        (folder / "handler.py").write_text(code, "utf-8")
        digest: str = own_cloud("deploy", "--local", "--image", folder, "--json").data["resources"]["image"]["digest"]
        return digest

    def kept() -> set[str]:
        here = cloud.read_cloud(own_cloud.home)
        aws = connect(region=None, profile=None, endpoint=here.endpoint, secret=here.secret)
        listed = aws.ecr.list_images(repositoryName=own_cloud.environ["LAMBDACAP_NAME"])["imageIds"]
        return {image["imageDigest"] for image in listed}

    one, two, three = (deploy(words) for words in ("one", "two", "three"))
    assert kept() == {two, three}
    assert one not in kept()
    back = own_cloud("rollback", "--json").data
    assert back["version"] == "2"
    assert requests.get(back["url"], timeout=20).text == "two"
    status = own_cloud("status", "--json").data
    assert (status["differences"], status["resources"]["image"]["identity"]["digest"]) == ([], two)
    # The one that was gone back from makes room, not the one that is live.
    four = deploy("four")
    assert kept() == {two, four}
    assert requests.get(back["url"], timeout=20).text == "four"
    with recorded() as calls:
        settings = load({"local": True, "image": folder}, own_cloud.environment, tmp_path)
        assert not pipeline.deploy(settings, silent).changed
    assert len(calls) <= CALLS_OF_A_DEPLOY_WITHOUT_CHANGE, calls
    own_cloud("teardown", "--yes")


def test_containers_of_a_killed_cloud_go_with_the_next_start(
    engine: docker.DockerClient, own_cloud: Command, base_image: str, tmp_path: Path
) -> None:
    """The stub instead of the captioner: how it dies does not depend on the model."""
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / "handler.py").write_text(
        (Path(__file__).parent.parent / "stub_image" / "handler.py").read_text("utf-8"), "utf-8"
    )
    (folder / "Dockerfile").write_text(
        'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY handler.py /var/task/\nCMD ["handler.handler"]\n', "utf-8"
    )
    assert base_image
    own_cloud("deploy", "--local", "--image", folder)
    assert len(containers(engine, own_cloud)) == 1
    running = cloud.running(own_cloud.home)
    assert running is not None
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)
    assert len(containers(engine, own_cloud)) == 1
    own_cloud("local", "start")
    assert containers(engine, own_cloud) == []
    # The kill took what was deployed since the cloud's start; the same command brings it back.
    own_cloud("deploy", "--local", "--image", folder)
    assert own_cloud("status", "--json").data["complete"]
    own_cloud("teardown", "--yes")
    assert containers(engine, own_cloud) == []
