"""The engine is found where `docker` itself finds it, or at a usual place; what keeps it away is explained."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from tests.command import Command

pytestmark = pytest.mark.docker


@pytest.fixture
def build(with_engine: Command) -> Command:
    """The command in a folder with the smallest image there is, not told where the engine is."""
    (with_engine.folder / "image").mkdir()
    (with_engine.folder / "image" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n", "utf-8")
    environ = {**with_engine.environ, "LAMBDACAP_IMAGE": "image", "DOCKER_HOST": ""}
    return replace(with_engine, environ=environ)


@pytest.fixture
def engine_socket(engine: docker.DockerClient, with_engine: Command) -> str:
    assert engine.ping()
    address = with_engine.environ["DOCKER_HOST"]
    if not address.startswith("unix://"):
        pytest.skip(f"the engine is at {address}, and contexts here name its socket")
    return address


@pytest.fixture
def dead_socket(tmp_path: Path) -> Iterator[Path]:
    """A socket that nobody listens at."""
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        yield path


def add_context(command: Command, name: str, content: str) -> None:
    """What `docker context create` writes into the user's home."""
    folder = command.folder / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(content, "utf-8")


def context(name: str, host: str) -> str:
    return json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}})


def configure(command: Command, **settings: object) -> None:
    """The user's `~/.docker/config.json`."""
    (command.folder / ".docker").mkdir(exist_ok=True)
    (command.folder / ".docker" / "config.json").write_text(json.dumps(settings), "utf-8")


def test_the_context_in_use(build: Command, engine_socket: str) -> None:
    add_context(build, "mine", context("mine", engine_socket))
    configure(build, currentContext="mine")
    build("build")


def test_the_context_of_the_environment(build: Command, engine_socket: str, dead_socket: Path) -> None:
    add_context(build, "mine", context("mine", engine_socket))
    add_context(build, "dead", context("dead", f"unix://{dead_socket}"))
    configure(build, currentContext="dead")
    replace(build, environ={**build.environ, "DOCKER_CONTEXT": "mine"})("build")
    # DOCKER_HOST goes before both, as with docker itself.
    replace(build, environ={**build.environ, "DOCKER_CONTEXT": "none", "DOCKER_HOST": engine_socket})("build")


def test_a_context_whose_engine_is_down(build: Command, dead_socket: Path) -> None:
    add_context(build, "dead", context("dead", f"unix://{dead_socket}"))
    configure(build, currentContext="dead")
    failed = build("build", code=1)
    assert f"no Docker engine answers (unix://{dead_socket}: " in failed.stderr
    assert "Connection refused" in failed.stderr


@pytest.mark.parametrize(
    ("content", "says"), [(None, "the current Docker context does not exist"), ("{", "cannot be read")]
)
def test_a_context_that_is_none(content: str | None, says: str, build: Command) -> None:
    if content:
        add_context(build, "gone", content)
    configure(build, currentContext="gone")
    failed = build("build", code=1)
    assert says in failed.stderr
    assert "docker context" in failed.stderr


def test_a_socket_at_a_usual_place(build: Command, engine_socket: str) -> None:
    usual = build.folder / ".colima" / "default"
    usual.mkdir(parents=True)
    (usual / "docker.sock").symlink_to(engine_socket.removeprefix("unix://"))
    build("build")


def test_a_socket_that_may_not_be_used(build: Command, dead_socket: Path, tmp_path: Path) -> None:
    dead_socket.chmod(0)
    if os.geteuid() == 0:
        # Root without root's power over files.
        wrapper = tmp_path / "lambdacap"
        drop = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"
        wrapper.write_text(f'#!/bin/sh\nexec {drop} {build.executable} "$@"\n', "utf-8")
        wrapper.chmod(0o755)
        build = replace(build, executable=wrapper)
    failed = replace(build, environ={**build.environ, "DOCKER_HOST": f"unix://{dead_socket}"})("build", code=1)
    assert "Permission denied" in failed.stderr
    assert "usermod -aG docker" in failed.stderr


def test_a_credential_helper_that_is_not_installed(build: Command, engine_socket: str) -> None:
    configure(build, credsStore="nowhere", credHelpers={"public.ecr.aws": "nowhere"})
    kept = (build.folder / ".docker" / "config.json").read_bytes()
    built = replace(build, environ={**build.environ, "DOCKER_HOST": engine_socket})("build")
    assert "building without the credentials that are kept elsewhere" in built.stderr
    assert "docker-credential-nowhere" in built.stderr
    assert (build.folder / ".docker" / "config.json").read_bytes() == kept
