"""What the doctor says of a real engine."""

from __future__ import annotations

import os
from dataclasses import replace

import docker
import pytest

from tests.command import Command
from tests.conftest import STUB
from tests.insight.doctor.test_checks import by_check

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(("wanted", "own"), [("x86_64", "x86_64"), ("arm64", "aarch64")])
def test_the_engine_and_what_it_builds_for(
    wanted: str, own: str, engine: docker.DockerClient, lambdacap: Command
) -> None:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    environ = {"LAMBDACAP_IMAGE": str(STUB), "DOCKER_HOST": host}
    info = engine.info()
    found = by_check(
        replace(lambdacap, environ=environ)("doctor", "--local", "--arch", wanted, "--json", code=None).data["findings"]
    )
    assert found["engine"].level == "ok"
    assert found["engine"].detail == f"Docker {info['ServerVersion']} at {host}"
    assert found["engine's disk"].level in ("ok", "warn")
    if info["Architecture"] == own:
        assert found["architecture"].detail == f"the engine builds for {wanted} as its own"
    else:
        assert f"--arch {wanted} on an engine of" in found["architecture"].detail
        assert found["architecture"].level != "ok"
