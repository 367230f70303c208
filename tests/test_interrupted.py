"""Ctrl-C at moments in which nothing is recorded: what runs by then is ended, by this command or by the same again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdacap.deployment.record import Records
from lambdacap.errors import DeploymentError
from lambdacap.events import Event, Finished, Started, silent
from lambdacap.local import cloud
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.settings import Settings
from tests.conftest import STUB


def interrupting(kind: type[Started | Finished], what: str) -> Callable[[Event], None]:
    """A report that is cut short by the event `kind` of `what`."""

    def report(event: Event) -> None:
        if isinstance(event, kind) and event.kind == what:
            raise KeyboardInterrupt

    return report


@pytest.fixture
def settings(tmp_path: Path, no_engine: None) -> Iterator[Settings]:  # noqa: ARG001 - for its effect
    """Settings for a deployment in a home of its own, in which nothing runs."""
    home = tmp_path / "home"
    yield Settings(name="interrupted", local=True, docker=False, image=STUB, home=home)
    cloud.discard(home, silent)


def test_a_deploy_that_made_nothing_leaves_no_cloud(settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt):
        deploy.deploy(settings, interrupting(Started, "repository"))
    assert not settings.home.exists()


def test_a_deploy_leaves_what_it_made_and_clouds_that_were_there(settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt):
        deploy.deploy(settings, interrupting(Started, "function"))
    assert cloud.running(settings.home)
    (record,) = Records(settings.home).all()
    assert "role" in record.resources
    teardown(settings, silent)
    assert not settings.home.exists()
    cloud.start(settings.home, silent)
    with pytest.raises(KeyboardInterrupt):
        deploy.deploy(settings, interrupting(Started, "repository"))
    assert cloud.running(settings.home)


def test_a_teardown_cut_short_at_its_end_is_ended_by_itself_or_the_next(settings: Settings) -> None:
    deploy.deploy(settings, silent)
    with pytest.raises(KeyboardInterrupt):
        teardown(settings, interrupting(Finished, "teardown"))
    assert not settings.home.exists()
    # As `kill -9` leaves it: no record any more, and the cloud still there.
    cloud.start(settings.home, silent)
    with pytest.raises(DeploymentError, match="nothing named 'interrupted' is deployed"):
        teardown(settings, silent)
    assert not settings.home.exists()


def test_a_cloud_in_which_something_is_deployed_stays_though_no_record_says_so(settings: Settings) -> None:
    deployed = deploy.deploy(settings, silent)
    Records(settings.home).delete(deployed.deployment)
    with pytest.raises(DeploymentError, match="nothing named 'misspelt' is deployed"):
        teardown(Settings(name="misspelt", local=True, docker=False, image=STUB, home=settings.home), silent)
    assert cloud.running(settings.home)
    teardown(settings, silent)
    assert not settings.home.exists()
