"""Deployments do not mix: names, regions, accounts; and of one, only one command at a time is under way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdacap.deployment.record import Deployment, Records
from lambdacap.errors import DeploymentError
from lambdacap.events import silent
from lambdacap.local.cloud import read_cloud, variables
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.settings import Settings
from tests.command import Command

CHEAP = ("repository", "role", "log group")
"""What is made without an image."""
Place = tuple[str, str]
PLACES: list[Place] = [("111111111111", "eu-central-1"), ("111111111111", "us-west-2"), ("222222222222", "eu-north-1")]


@pytest.fixture
def at(
    cloud_home: Path,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    no_engine: None,  # noqa: ARG001 - for its effect
) -> Callable[[Place], Settings]:
    """Signs in as an account of the local cloud in AWS's place; returns the settings for a region."""
    for key, value in variables(read_cloud(cloud_home)).items():
        monkeypatch.setenv(key, value)

    def sign_in(place: Place) -> Settings:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", place[0])
        return Settings(name=name, region=place[1], home=tmp_path / "home")

    return sign_in


def recorded_at(settings: Settings) -> list[Place]:
    return sorted((d.account, d.region) for d in Records(settings.home).all(settings.name))


def test_one_name_in_several_regions_and_accounts(at: Callable[[Place], Settings]) -> None:
    made: dict[Place, Deployment] = {}
    for place in PLACES:
        made[place] = deploy.deploy(at(place), silent, only=CHEAP).deployment
    assert recorded_at(at(PLACES[0])) == sorted(PLACES)
    for place, deployment in made.items():
        assert (deployment.account, deployment.region) == place
        assert all(place[0] in identity["arn"] for identity in deployment.resources.values())
        assert place[1] in deployment.resources["role"]["arn"]
    for index, place in enumerate(PLACES):
        teardown(at(place), silent)
        assert recorded_at(at(place)) == sorted(PLACES[index + 1 :])
        for other in PLACES[index + 1 :]:
            changes = deploy.deploy(at(other), silent, only=CHEAP).changes
            assert {change.action for change in changes} == {"keep"}
    assert not at(PLACES[0]).home.exists()


def test_another_account_of_the_same_region_is_a_mistake(at: Callable[[Place], Settings]) -> None:
    """Of a forgotten profile, most likely."""
    here = ("111111111111", "eu-central-1")
    deploy.deploy(at(here), silent, only=CHEAP)
    with pytest.raises(DeploymentError, match=r"was deployed in account 111111111111, but .* account 222222222222"):
        teardown(at(("222222222222", "eu-central-1")), silent)
    teardown(at(here), silent)


def test_the_second_command_says_so_and_stops(shared: Command, name: str) -> None:
    with shared.start("deploy", "--local", "--json") as first:
        deadline = time.monotonic() + 60
        while not list(shared.home.rglob(f"{name}.lock")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        first.send_signal(signal.SIGSTOP)  # it has the lock, and is in no hurry
        for second in ("deploy", "teardown", "rollback"):
            told = shared(second, "--local", code=1)
            assert f"another command (process {first.pid}) is working on '{name}'" in told.stderr
            assert "Wait until it is through" in told.stderr
        assert len(shared("deploy", "--local", "--dry-run", "--json").data["changes"]) > 0  # that needs no turn
        first.send_signal(signal.SIGCONT)
        assert first.communicate(timeout=60)[0]
    assert first.returncode == 0
    assert list((shared.home / "deployments").rglob("*.lock")) == []
    shared("teardown", "--yes")


@pytest.mark.slow
def test_two_names_at_once_where_nothing_runs_yet(own_cloud: Command) -> None:
    """Both need the local cloud, and one of them starts it; the last one down stops it."""
    with own_cloud.start("deploy", "--local", "--name", "one") as one:
        two = own_cloud("deploy", "--local", "--name", "two")
        assert one.communicate(timeout=60)[0].startswith("http://127.0.0.1:")
    assert one.returncode == 0
    assert two.stdout.startswith("http://127.0.0.1:")
    with own_cloud.start("teardown", "--local", "--name", "one") as one:
        own_cloud("teardown", "--local", "--name", "two")
        _, told = one.communicate(timeout=60)
    assert one.returncode == 0, told
    assert not own_cloud.home.exists()


def test_a_killed_command_blocks_nobody(shared: Command, name: str) -> None:
    with shared.start("deploy", "--local") as first:
        assert first.stderr is not None
        for line in first.stderr:
            if "repository" in line:
                break
        first.kill()
        first.communicate()
    assert list(shared.home.rglob(f"{name}.lock"))
    shared("deploy", "--local")
    shared("teardown", "--yes")
    assert list((shared.home / "deployments").rglob("*.lock")) == []
