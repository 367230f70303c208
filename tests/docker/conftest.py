"""A Docker engine, the base image, and the image built on it: each made once for the whole session."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest

from lambdacap.errors import EngineError
from lambdacap.events import silent
from lambdacap.images import docker_engine, docker_stages
from lambdacap.images.docker_context import context
from tests.command import Command

HERE = Path(__file__).parent
IMAGE = HERE.parent.parent / "image"
BUILT = "lambdacap-test/image"


def unavailable(reason: str) -> NoReturn:
    """Skips the test; fails it where Docker is promised to be there, so that CI cannot lose these tests."""
    if os.environ.get("TEST_REQUIRE_DOCKER"):
        pytest.fail(f"TEST_REQUIRE_DOCKER is set, but {reason}", pytrace=False)
    pytest.skip(f"{reason}: tests/docker/README.md says how to get one")


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The engine that DOCKER_HOST, or the default socket, leads to."""
    try:
        found = docker_engine.connect()
    except EngineError as error:
        unavailable(error.message)
    with contextlib.closing(found):
        remove_left_behind(found)
        yield found


def remove_left_behind(engine: docker.DockerClient) -> None:
    """What a run of these tests left that was killed: its process id is in its deployments' names."""
    for image in engine.images.list(filters={"label": docker_stages.LABEL}):
        name = image.labels[docker_stages.LABEL]
        run = re.fullmatch(r"docker-(\d+)-.*", name)
        if run and not Path("/proc", run[1]).exists():
            for container in engine.containers.list(all=True, filters={"label": f"{docker_stages.LABEL}={name}"}):
                container.remove(force=True, v=True)
            docker_stages.discard(engine, name, silent)


@pytest.fixture(scope="session")
def store(engine: docker.DockerClient) -> str:
    """Where the engine keeps images: in Docker's own store, or in containerd's."""
    status = str(engine.info()["DriverStatus"])
    found = "containerd" if "io.containerd.snapshotter" in status else "docker"
    assert os.environ.get("TEST_STORE", found) == found, status
    return found


@pytest.fixture(scope="session")
def base_image(engine: docker.DockerClient) -> str:
    """The tag of a base image laid out like AWS's: TEST_BASE_IMAGE, else the one that `base-image` makes."""
    if given := os.environ.get("TEST_BASE_IMAGE"):
        return given
    assert engine.ping()
    made = subprocess.run([HERE / "base-image"], capture_output=True, text=True)
    if made.returncode:
        unavailable(f"no base image could be made ({made.stderr.strip()[-500:]})")
    return made.stdout.strip()


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient, base_image: str) -> str:
    """The tag of `image/` built on the base image."""
    with context(IMAGE) as stream:
        # As the command does it, so that the slow steps are in the engine's cache; the label keeps them there.
        engine.images.build(
            fileobj=stream,
            custom_context=True,
            tag=BUILT,
            buildargs={"BASE_IMAGE": base_image},
            labels={docker_stages.LABEL: BUILT},
            rm=True,
            forcerm=True,
        )
    return BUILT


@pytest.fixture
def with_engine(engine: docker.DockerClient, base_image: str, lambdacap: Command, name: str) -> Iterator[Command]:
    """The installed command with the engine and the base image; what it builds is gone afterwards."""
    name = f"docker-{os.getpid()}-{name}"
    environ = {
        "DOCKER_HOST": docker_engine.host() or "",
        "LAMBDACAP_BASE_IMAGE": base_image,
        "LAMBDACAP_NAME": name,
    }
    yield Command(lambdacap.folder, lambdacap.home, environ)
    docker_stages.discard(engine, name, silent)


@pytest.fixture
def engine_socket(engine: docker.DockerClient, with_engine: Command) -> str:
    """The path of the Unix socket that the engine listens at."""
    assert engine.ping()
    address = with_engine.environ["DOCKER_HOST"]
    if not address.startswith("unix://"):
        pytest.skip(f"the engine is at {address}, at no Unix socket")
    return address
