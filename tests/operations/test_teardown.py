"""Everything goes, in whatever order things fail; nothing of anybody else's does; and nobody is taken by surprise."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lambdacap.aws.clients import Aws, connect
from lambdacap.deployment.record import Records
from lambdacap.errors import DeploymentError
from lambdacap.events import Event, Finished, silent
from lambdacap.local.cloud import read_cloud, variables, write_cloud
from lambdacap.local.images import Images
from lambdacap.operations import deploy
from lambdacap.operations.status import status
from lambdacap.operations.teardown import standing, teardown
from lambdacap.resources import RESOURCES, Site, find_all
from lambdacap.resources.log_group import log_group_name
from lambdacap.settings import Settings
from tests.calls import recorded
from tests.command import Command
from tests.proxy import ALWAYS, Proxy, between

KINDS = [resource.kind for resource in RESOURCES if resource.needed(Settings())]
ACCOUNT = "123456789012"


@pytest.fixture
def proxy(deployed: deploy.Deployed, cloud_home: Path) -> Iterator[Proxy]:
    """Between the commands and the session's local cloud, once `deployed` is there."""
    assert deployed.changed
    cloud = read_cloud(cloud_home)
    with between(cloud.endpoint) as started:
        write_cloud(cloud_home, replace(cloud, endpoint=started.url))
        yield started
        write_cloud(cloud_home, cloud)


def left(site: Site) -> list[str]:
    return [kind for kind, state in find_all(site)[1].items() if state]


def test_a_look_beforehand_removes_nothing(deployed: deploy.Deployed, settings: Settings, site: Site) -> None:
    with recorded() as calls:
        found = standing(settings, silent)
    assert calls.writing == []
    assert list(found.labels) == KINDS[::-1]
    assert found.labels["api"] == deployed.deployment.url
    assert list(standing(settings, silent, keep_image=True).labels) == ["api", "function", "log group", "role"]
    assert left(site) == KINDS


@pytest.mark.slow
def test_one_failure_stops_no_other_and_is_told_at_the_end(proxy: Proxy, settings: Settings, site: Site) -> None:
    proxy.refuse("DeleteLogGroup", "AccessDeniedException", "no right to do so", times=ALWAYS)
    events: list[Event] = []
    with pytest.raises(DeploymentError) as caught:
        teardown(settings, events.append)
    assert f"of {site.name!r} there is still:\n  CloudWatch log group /aws/lambda/{site.name}\n" in caught.value.message
    assert "log group: AWS refused logs:DeleteLogGroup: no right to do so" in caught.value.message
    assert "needs the permission logs:DeleteLogGroup" in caught.value.hint
    assert "`lambdacap teardown` again" in caught.value.hint
    assert left(site) == ["log group"]
    first = [(event.kind, event.action) for event in events if isinstance(event, Finished)][:6]
    assert first == [(kind, "failed" if kind == "log group" else "removed") for kind in KINDS[::-1]]
    # What is left is on record, and goes with the next one.
    assert list(Records(settings.home).all(settings.name)[0].resources) == ["log group"]
    proxy.rules.clear()
    teardown(settings, silent)
    assert left(site) == []
    assert Records(settings.home).all(settings.name) == []


@pytest.mark.slow
def test_what_cannot_be_looked_at_stops_no_other(proxy: Proxy, settings: Settings, site: Site) -> None:
    proxy.refuse("DescribeLogGroups", "AccessDeniedException", "no right to look", times=ALWAYS)
    assert list(standing(settings, silent).failures) == ["log group"]
    with pytest.raises(DeploymentError, match="could not be removed whole:\n  log group: AWS refused"):
        teardown(settings, silent)
    proxy.rules.clear()
    assert left(site) == ["log group"]
    teardown(settings, silent)


def test_what_comes_back_meanwhile_goes_too(deployed: deploy.Deployed, settings: Settings, site: Site) -> None:
    """A log group by a late call; and names of APIs are not unique."""
    assert deployed.changed
    twin = site.aws.apigateway.create_rest_api(name=site.name, tags=site.tags)["id"]

    def report(event: Event) -> None:
        if isinstance(event, Finished) and (event.kind, event.action) == ("repository", "removed"):
            site.aws.logs.create_log_group(logGroupName=log_group_name(site), tags=site.tags)

    teardown(settings, report)
    assert left(site) == []
    assert twin not in [api["id"] for api in site.aws.apigateway.get_rest_apis(limit=500)["items"]]


def test_the_images_can_stay(deployed: deploy.Deployed, settings: Settings, site: Site) -> None:
    image = deployed.deployment.resources["image"]
    teardown(settings, silent, keep_image=True)
    assert left(replace(site, deployment=deployed.deployment)) == ["repository", "image"]
    assert status(settings, silent).deployment.resources["image"] == image
    again = {change.kind: change.action for change in deploy.deploy(settings, silent).changes}
    assert again == {kind: "keep" if kind in ("repository", "image") else "create" for kind in KINDS}
    teardown(settings, silent)
    assert left(site) == []


def test_it_goes_on_without_the_record(deployed: deploy.Deployed, settings: Settings, site: Site) -> None:
    copies = Images(settings.home).folder / settings.name
    assert copies.is_dir()
    Records(settings.home).delete(deployed.deployment)
    # Which knew that the function runs as a process.
    teardown(replace(settings, docker=True), silent)
    assert left(site) == []
    assert not copies.exists()


class TestOnAws:
    """The local cloud in AWS's place: signed in as an ordinary account."""

    @pytest.fixture
    def aws(self, cloud_home: Path, lambdacap: Command, name: str) -> Command:
        environ = {
            **variables(read_cloud(cloud_home)),
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "LAMBDACAP_REGION": "eu-central-1",
            "LAMBDACAP_NAME": name,
        }
        return replace(lambdacap, environ=environ)

    @pytest.fixture
    def there(self, aws: Command, monkeypatch: pytest.MonkeyPatch) -> Aws:
        """A log group of the deployment's is there."""
        for key, value in aws.environ.items():
            monkeypatch.setenv(key, value)
        account = connect(region="eu-central-1", profile=None, endpoint=None)
        name = aws.environ["LAMBDACAP_NAME"]
        account.logs.create_log_group(logGroupName=f"/aws/lambda/{name}", tags={"lambdacap": name})
        return account

    def answer(self, aws: Command, words: bytes) -> tuple[int, str]:
        """`teardown` with somebody at the terminal."""
        keyboard, terminal = pty.openpty()
        with os.fdopen(keyboard, "wb", buffering=0) as keys, os.fdopen(terminal, "rb") as stdin:
            keys.write(words)
            done = subprocess.run(
                [aws.executable, "teardown"],
                cwd=aws.folder,
                env=aws.environment,
                stdin=stdin,
                capture_output=True,
                text=True,
                timeout=60,
            )
        return done.returncode, done.stderr

    def groups(self, there: Aws, name: str) -> int:
        return len(there.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"])

    def test_nobody_to_ask_is_a_refusal(self, aws: Command, there: Aws, name: str) -> None:
        refused = aws("teardown", code=1)
        assert (
            f"nobody can be asked here whether to remove '{name}' in eu-central-1 of account {ACCOUNT}"
            in refused.stderr
        )
        assert "--yes" in refused.stderr
        assert self.groups(there, name) == 1
        planned = aws("teardown", "--dry-run", "--json").data
        assert planned["resources"] == {"log group": f"/aws/lambda/{name}"}
        assert self.groups(there, name) == 1
        assert "looked by name and by tag" in aws("teardown", "--yes").stderr
        assert self.groups(there, name) == 0
        assert not aws.home.exists()

    def test_somebody_is_asked_and_shown(self, aws: Command, there: Aws, name: str) -> None:
        code, said = self.answer(aws, b"n\n")
        assert code == 1
        assert f"/aws/lambda/{name}" in said
        assert f"Remove '{name}' in eu-central-1 of account {ACCOUNT}?" in said
        assert self.groups(there, name) == 1
        assert self.answer(aws, b"y\n")[0] == 0
        assert self.groups(there, name) == 0
