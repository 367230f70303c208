"""A new image goes live without an error for anybody, a broken one never does, and there is a way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from lambdacap.deployment.record import Records
from lambdacap.errors import AwsError, DeploymentError
from lambdacap.events import silent
from lambdacap.images import docker_context
from lambdacap.operations import deploy as pipeline
from lambdacap.operations.rollback import rollback
from lambdacap.operations.status import Status, status
from lambdacap.resources import Site
from lambdacap.resources.function.release import Release, find_release, versions
from lambdacap.settings import Settings
from tests.local.load import asking

Deploy = Callable[..., pipeline.Deployed]
BROKEN = "raise RuntimeError('no model here')\n"


def handler(words: str) -> str:
    return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': '{words}'}}\n"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With room for the callers of these tests."""
    return replace(settings, rate=1000, burst=1000)


@pytest.fixture
def deploy(deployed: pipeline.Deployed, settings: Settings, image_folder: Callable[[dict[str, str]], Path]) -> Deploy:
    """Deploys a handler that says these words, or is this code, where the stub has been version 1."""
    assert deployed.changed

    def put(words: str, memory: int = 3008) -> pipeline.Deployed:
        code = words if "\n" in words else handler(words)
        wanted = replace(settings, image=image_folder({"handler.py": code}), memory=memory)
        return pipeline.deploy(wanted, silent)

    return put


@pytest.fixture
def ask(deployed: pipeline.Deployed) -> Callable[[], str]:
    url = deployed.deployment.url or ""

    def post() -> str:
        with requests.post(url, data=b"\xff\xd8", headers={"Content-Type": "image/jpeg"}, timeout=20) as answer:
            assert answer.status_code == 200
            return answer.text

    return post


def memory(there: Status) -> object:
    function = there.states["function"]
    return function and function.properties["memory"]


def copies(settings: Settings) -> int:
    return len(list((settings.home / "local" / "images" / settings.name).iterdir()))


@pytest.mark.usefixtures("no_engine")
def test_nobody_notices_a_redeploy(deployed: pipeline.Deployed, deploy: Deploy, settings: Settings) -> None:
    """A new image, then other settings, then the way back, at 50 requests a second."""
    with asking(deployed.deployment.url or "", per_second=50, body=b"\xff\xd8") as heard:
        deploy("two")
        pipeline.deploy(replace(settings, memory=512), silent)
        rollback(settings, silent)
    assert [answer for answer in heard if answer.status != 200] == []
    said = [answer.text if answer.text == "two" else json.loads(answer.text)["memory"] for answer in heard]
    assert {3008, 512, "two"} <= set(said)
    assert said[0] == 3008
    assert said[-1] == "two"
    print(f"{len(heard)} requests, the slowest took {max(answer.seconds for answer in heard):.3f} s")


def test_a_version_that_does_not_start_never_goes_live(
    deploy: Deploy, ask: Callable[[], str], site: Site, settings: Settings
) -> None:
    deploy("one")
    with pytest.raises(AwsError) as caught:
        deploy(BROKEN)
    assert "version 3 of the function" in caught.value.message
    assert "no model here" in caught.value.message
    assert caught.value.message.endswith("; version 2 goes on answering")
    assert "correct the image" in caught.value.hint
    assert ask() == "one"
    assert find_release(site) == Release("2", "1")
    assert versions(site) == ["1", "2"]
    # Said as long as it is so, and tried again by the next deploy.
    assert status(settings, silent).changes["function"].action == "update"
    with pytest.raises(AwsError, match="no model here"):
        deploy(BROKEN)
    deploy("corrected")
    assert ask() == "corrected"
    assert copies(settings) == 2


def test_the_live_and_the_previous_one_are_kept(
    deploy: Deploy, ask: Callable[[], str], site: Site, settings: Settings
) -> None:
    for number, words in enumerate(("two", "three", "four"), start=2):
        assert deploy(words).deployment.resources["function"]["version"] == str(number)
        assert ask() == words
        assert versions(site) == [str(number - 1), str(number)]
        assert copies(settings) == 2
    assert find_release(site) == Release("4", "3")
    assert status(settings, silent).release == Release("4", "3")


@pytest.mark.slow
def test_back_and_forth(deploy: Deploy, ask: Callable[[], str], site: Site, settings: Settings) -> None:
    deploy("two")
    deploy("three")
    deploy("three", memory=512)
    assert rollback(settings, silent).resources["function"]["version"] == "3"
    assert find_release(site) == Release("3", "4")
    # All agree: the function itself, the record, and so the next status and the next deploy.
    there = status(settings, silent)
    assert [change.action for change in there.changes.values()] == ["keep"] * 5
    assert memory(there) == 3008
    assert Records(settings.home).load(site.deployment).settings["memory"] == 3008
    assert rollback(settings, silent, "4").resources["function"]["version"] == "4"
    assert memory(status(settings, silent)) == 512
    assert rollback(settings, silent, "4").resources["function"]["version"] == "4"
    assert find_release(site) == Release("4", "3")
    rollback(settings, silent)
    # What is kept beside the next one is the one that was live, not the one with the next number.
    deploy("five")
    assert versions(site) == ["3", "5"]
    rollback(settings, silent)
    assert ask() == "three"


def test_back_to_another_origin_at_the_gateway_too(deployed: pipeline.Deployed, settings: Settings) -> None:
    """Preflights and the gateway's own errors name the origin, as the version's answers do."""
    url = deployed.deployment.url or ""

    def allowed() -> str:
        return requests.options(url, timeout=20).headers["Access-Control-Allow-Origin"]

    other = replace(settings, origin="https://example.com")
    pipeline.deploy(other, silent)
    assert allowed() == "https://example.com"
    rollback(settings, silent)
    assert allowed() == "*"
    assert [c for c in pipeline.plan(settings, silent) if c.action != "keep"] == []
    rollback(settings, silent)
    assert allowed() == "https://example.com"
    assert [c for c in pipeline.plan(other, silent) if c.action != "keep"] == []


def test_back_to_what_is_not_there(deployed: pipeline.Deployed, settings: Settings) -> None:
    assert deployed.deployment.resources["function"]["version"] == "1"
    with pytest.raises(DeploymentError, match=r"version 1 of .* is the only one"):
        rollback(settings, silent)
    with pytest.raises(DeploymentError, match="has no version 7") as caught:
        rollback(settings, silent, "7")
    assert caught.value.hint == "There are: 1."


def test_back_to_what_does_not_start_any_more(
    deploy: Deploy, ask: Callable[[], str], site: Site, settings: Settings
) -> None:
    deploy("two")
    old = site.aws.lambda_.get_function(FunctionName=site.name, Qualifier="1")["Code"]["ImageUri"]
    folder = settings.home / "local" / "images" / settings.name / old.rpartition(":")[2]
    folder.rename(folder.with_name(".gone"))
    with pytest.raises(AwsError, match=r"version 1 .* fails when it starts: .* version 2 goes on answering"):
        rollback(settings, silent)
    assert ask() == "two"
    assert versions(site) == ["1", "2"]


def test_without_a_note_the_previous_one_is_the_one_below(deploy: Deploy, site: Site) -> None:
    deploy("two")
    site.aws.lambda_.update_alias(FunctionName=site.name, Name="live", Description="mine")
    assert find_release(site) == Release("2", "1")


def test_a_share_that_somebody_sent_elsewhere_ends_with_the_next_release(deploy: Deploy, site: Site) -> None:
    deploy("two")
    lambda_, name = site.aws.lambda_, site.name
    lambda_.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}})
    assert "RoutingConfig" in lambda_.get_alias(FunctionName=name, Name="live")
    deploy("three")
    assert "RoutingConfig" not in lambda_.get_alias(FunctionName=name, Name="live")


def test_a_version_with_an_alias_of_the_users_own_stays(deploy: Deploy, site: Site, settings: Settings) -> None:
    site.aws.lambda_.create_alias(FunctionName=site.name, Name="first", FunctionVersion="1")
    deploy("two")
    deploy("three")
    assert versions(site) == ["1", "2", "3"]
    assert copies(settings) == 3


def test_an_image_that_never_went_live_is_pruned_too(
    deploy: Deploy, settings: Settings, image_folder: Callable[[dict[str, str]], Path]
) -> None:
    docker_context.content_tag.cache_clear()
    pushed = replace(settings, image=image_folder({"handler.py": handler("never")}))
    pipeline.deploy(pushed, silent, only=("repository", "image"))
    draft = settings.home / "local" / "images" / settings.name / ".draft-of-a-killed-process"
    draft.mkdir()
    deploy("two")
    assert copies(settings) == 2
