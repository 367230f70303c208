"""The tagging API goes on listing what was deleted, and teardown looks for itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambdacap.errors import DeploymentError
from lambdacap.events import Finished, silent
from lambdacap.operations.teardown import teardown
from lambdacap.resources import Site
from lambdacap.resources.listed import listed
from lambdacap.settings import Settings
from tests.proxy import ALWAYS, Proxy
from tests.sites import ensured


def arns(site: Site) -> dict[str, str]:
    """As the tagging API lists what a deployment with every option has had."""
    gateway = f"arn:aws:apigateway:{site.aws.region}:"
    return {
        "repository": site.aws.arn("ecr", f"repository/{site.name}"),
        "function": site.aws.arn("lambda", f"function:{site.name}"),
        "log group": site.aws.arn("logs", f"log-group:/aws/lambda/{site.name}"),
        "api": f"{gateway}:/restapis/0gone00",
        "stage": f"{gateway}:/restapis/0gone00/stages/prod",
        "usage plan": f"{gateway}:/usageplans/0gone01",
        "key": f"{gateway}:/apikeys/0gone02",
        "topic": site.aws.arn("sns", site.name),
        "alarm": site.aws.arn("cloudwatch", f"alarm:{site.name}"),
    }


def lists(found: list[str]) -> Callable[[Any], Any]:
    entries = [{"ResourceARN": arn, "Tags": []} for arn in found]
    return lambda answer: {**answer, "ResourceTagMappingList": [*answer["ResourceTagMappingList"], *entries]}


def test_what_is_gone_is_not_left(aside: Site, proxy: Proxy) -> None:
    proxy.change("tag:GetResources", lists(list(arns(aside).values())))
    assert listed(aside) == []


def test_what_is_there_is(aside: Site, proxy: Proxy) -> None:
    settings = replace(aside.settings, auth="key", alarm_email="anna@example.com", given={"auth": "this test"})
    site = ensured(replace(aside, settings=settings))
    api, plan = site.deployment.resources["api"]["id"], site.deployment.resources["usage plan"]
    known = {"0gone00": api, "0gone01": plan["id"], "0gone02": plan["key"]}
    there = [re.sub(r"0gone\d\d", lambda gone: known[gone[0]], arn) for arn in arns(site).values()]
    proxy.change("tag:GetResources", lambda answer: lists(there)({**answer, "ResourceTagMappingList": []}))
    assert listed(site) == there


def test_what_nobody_can_look_up_or_may_see_counts(aside: Site, proxy: Proxy) -> None:
    theirs = [aside.aws.arn("s3", "a-bucket"), aside.aws.arn("ecr", "repository/theirs")]
    proxy.change("tag:GetResources", lists(theirs))
    proxy.refuse("ListTagsForResource", "AccessDeniedException", times=1)
    assert listed(aside) == theirs


@pytest.mark.usefixtures("deployed")
def test_a_teardown_ends_well_after_an_option_was_taken_away(
    settings: Settings, site: Site, between_commands: Proxy
) -> None:
    between_commands.change("tag:GetResources", lists(list(arns(site).values())), times=ALWAYS)
    told: list[Any] = []
    teardown(settings, told.append)
    last = told[-1]
    assert isinstance(last, Finished)
    assert last.detail == f"nothing carries the tag lambdacap={site.name} any more: looked by name and by tag"


@pytest.mark.slow
@pytest.mark.usefixtures("deployed")
def test_what_is_tagged_and_not_ours_to_delete_is_told(settings: Settings, between_commands: Proxy) -> None:
    bucket = "arn:aws:s3:::somebody-gave-it-the-tag"
    between_commands.change("tag:GetResources", lists([bucket]), times=ALWAYS)
    with pytest.raises(DeploymentError, match=bucket):
        teardown(settings, silent)


@pytest.mark.usefixtures("deployed")
def test_tags_that_may_not_be_asked_are_not_said_to_have_been(settings: Settings, between_commands: Proxy) -> None:
    between_commands.refuse("tag:GetResources", "AccessDeniedException", "not authorized", times=ALWAYS)
    told: list[Any] = []
    teardown(settings, told.append)
    assert "by tag" not in told[-1].detail
    assert "looked by name only, since the tags could not be asked" in told[-1].detail
