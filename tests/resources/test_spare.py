"""A creating call that AWS carries out, and whose answer is lost: botocore asks again, and one of the two goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lambdacap.events import silent
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.resources import Site
from lambdacap.settings import Settings
from tests.proxy import Proxy


@pytest.fixture
def everything(settings: Settings) -> Iterator[Settings]:
    """With the options that create something."""
    settings = replace(settings, auth="key", alarm_email="anna@example.com", budget=5, given={"auth": "this test"})
    yield settings
    teardown(settings, silent)


def there(site: Site) -> dict[str, int]:
    """How many there are by kind, of what could be there twice."""
    gateway = site.aws.apigateway
    named: Any = [api for api in gateway.get_rest_apis(limit=500)["items"] if api["name"] == site.name]
    topic = site.aws.arn("sns", site.name)
    plans = [plan for plan in gateway.get_usage_plans(limit=500)["items"] if plan["name"] == site.name]
    keys = gateway.get_api_keys(nameQuery=site.name)["items"]
    return {
        "APIs": len(named),
        "deployments": len(gateway.get_deployments(restApiId=named[0]["id"])["items"]),
        "plans": len(plans),
        "keys": len(keys),
        "keys in the plan": len(gateway.get_usage_plan_keys(usagePlanId=plans[0]["id"])["items"]),
        "subscriptions": len(site.aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]),
        "versions": len(site.aws.lambda_.list_versions_by_function(FunctionName=site.name)["Versions"]) - 1,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "calls",
    [
        ("CreateRestApi", "CreateUsagePlan", "CreateFunction", "PutMethod", "Subscribe"),
        ("CreateDeployment", "CreateApiKey", "CreateUsagePlanKey", "CreateAlias", "AddPermission", "CreateBudget"),
        ("CreateRepository", "CreateRole", "CreateLogGroup", "CreateTopic", "PublishVersion", "PutMetricAlarm"),
    ],
)
def test_the_run_that_makes_a_second_one_removes_it(
    calls: tuple[str, ...], everything: Settings, site: Site, between_commands: Proxy
) -> None:
    for call in calls:
        between_commands.lose(call)
    deploy.deploy(everything, silent)
    for call in calls:
        assert between_commands.calls.count(call) >= 2, call
    assert set(there(site).values()) == {1}, there(site)
    assert {change.action for change in deploy.plan(everything, silent)} == {"keep"}
