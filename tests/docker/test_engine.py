"""The engine is found where `docker` itself finds it, or at a usual place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import Command
from tests.contexts import add_context, configure, context
from tests.nobody import dead_socket

pytestmark = pytest.mark.docker


@pytest.fixture
def build(with_engine: Command) -> Command:
    """The command in a folder with the smallest image there is, not told where the engine is."""
    (with_engine.folder / "image").mkdir()
    (with_engine.folder / "image" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n", "utf-8")
    environ = {**with_engine.environ, "LAMBDACAP_IMAGE": "image", "DOCKER_HOST": ""}
    return replace(with_engine, environ=environ)


def test_the_context_in_use(build: Command, engine_socket: str) -> None:
    add_context(build, "mine", context("mine", engine_socket))
    configure(build, currentContext="mine")
    build("build")


def test_the_context_of_the_environment(build: Command, engine_socket: str, tmp_path: Path) -> None:
    add_context(build, "mine", context("mine", engine_socket))
    add_context(build, "dead", context("dead", f"unix://{dead_socket(tmp_path)}"))
    configure(build, currentContext="dead")
    replace(build, environ={**build.environ, "DOCKER_CONTEXT": "mine"})("build")
    # DOCKER_HOST goes before both, as with docker itself.
    replace(build, environ={**build.environ, "DOCKER_CONTEXT": "none", "DOCKER_HOST": engine_socket})("build")


def test_a_socket_at_a_usual_place(build: Command, engine_socket: str) -> None:
    usual = build.folder / ".colima" / "default"
    usual.mkdir(parents=True)
    (usual / "docker.sock").symlink_to(engine_socket.removeprefix("unix://"))
    build("build")


def test_a_credential_helper_that_is_not_installed(build: Command, engine_socket: str) -> None:
    configure(build, credsStore="nowhere", credHelpers={"public.ecr.aws": "nowhere"})
    kept = (build.folder / ".docker" / "config.json").read_bytes()
    built = replace(build, environ={**build.environ, "DOCKER_HOST": engine_socket})("build")
    assert "building without the credentials that are kept elsewhere" in built.stderr
    assert "docker-credential-nowhere" in built.stderr
    assert (build.folder / ".docker" / "config.json").read_bytes() == kept
