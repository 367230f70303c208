"""What a project without requirements runs in, made once for the session; and the command in a project's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lambdacap.events import silent
from lambdacap.images import project_context
from lambdacap.local import cloud
from lambdacap.projects import environment as environments
from lambdacap.projects import interpreter
from lambdacap.projects.environment import Environment
from tests.command import Command
from tests.projects.folders import OWN, SHOUT, write
from tests.projects.served import serving


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where uv keeps what it has downloaded: what one test installs, the next one has."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment of a project that requires nothing, by this Python."""
    folder = write(tmp_path_factory.mktemp("project"), {"predictor.py": SHOUT})
    files = project_context.read(folder).requirements
    made = environments.environment(files, interpreter.find(None), tmp_path_factory.mktemp("cache"))
    environments.make(made, folder, silent, uv=interpreter.uv_binary())
    return made


def lend(environment: Environment, home: Path) -> None:
    """Let what has its home there find the environment made already."""
    place = home / "cache" / "environments" / environment.name
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.symlink_to(environment.folder)


@pytest.fixture
def project(lambdacap: Command, packages: Path) -> Iterator[Command]:
    """The command in the folder of a project that requires nothing, for a local cloud of its own."""
    write(lambdacap.folder, {"predictor.py": SHOUT, "examples/hello.txt": "hello"})
    environ = {"UV_CACHE_DIR": str(packages), "LAMBDACAP_DOCKER": "no", "LAMBDACAP_BASE_IMAGE": OWN}
    yield replace(lambdacap, environ=environ, seconds=300)
    cloud.discard(lambdacap.home, silent)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Iterator[str]:
    """Where a project that requires nothing is served, for all tests of a module."""
    folder = write(tmp_path_factory.mktemp("served"), {"predictor.py": SHOUT})
    environ = {"UV_CACHE_DIR": str(packages), "LAMBDACAP_BASE_IMAGE": OWN}
    with serving(Command(folder, tmp_path_factory.mktemp("home"), environ)) as served:
        yield served.url
