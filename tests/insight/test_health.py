"""What `status` says beyond what `deploy` sets: by the local cloud's log, by CloudWatch, and when it is unwell."""

from __future__ import annotations

import contextlib
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from lambdacap.aws.clients import connect
from lambdacap.cli.views import health as views_health
from lambdacap.errors import AwsError, LocalCloudError
from lambdacap.events import Event, Warned
from lambdacap.insight.health import Api, Function, Health, Image, examine
from lambdacap.insight.traffic import Traffic, percentile, traffic
from lambdacap.operations import deploy
from lambdacap.operations.status import look
from lambdacap.resources import Site
from lambdacap.resources.api.rest_api import STATEMENT
from lambdacap.resources.function.release import LIVE
from tests.command import Command
from tests.faults.odd import spoilt
from tests.faults.proxy import proxying

WELL = Traffic(10, 1, 0, 0, 2, 94.2, 1310.0, 0.00123, "CloudWatch")
FUNCTION = Function("Active", "", "Successful", "3", 3008, 60, None)


def ask(url: str, **query: str) -> None:
    requests.post(url, params=query, data=b"\xff\xd8", headers={"Content-Type": "image/jpeg"}, timeout=20)


def test_the_local_cloud(deployed: deploy.Deployed, shared: Command, name: str) -> None:
    url = deployed.deployment.url or ""
    for _ in range(3):
        ask(url)
    data = shared("status", "--json").data
    assert (data["healthy"], data["complaints"]) == (True, [])
    assert data["image"]["tag"] == deployed.deployment.resources["image"]["tag"]
    assert 500 < data["image"]["size"] < 5000  # the stub's two files
    assert 0 <= data["image"]["days"] < 0.1
    expected = {"state": "Active", "update": "Successful", "version": "1", "memory": 3008, "timeout": 60}
    assert expected.items() <= data["function"].items()
    assert data["api"]["auth"] == "NONE"
    day = data["last_day"]
    # The stub does not say which invocations were no requests: its first start counts.
    assert (day["requests"], day["errors"], day["source"]) == (4, 0, "the log")
    assert (day["p50_ms"], day["p95_ms"]) == (None, None)  # nor which of them were predictions
    assert 0 < day["cost"] < 0.01
    ask(url, exit="1")
    ask(url, exit="1")
    words = shared("status").stdout
    assert "6 requests, 0 refused, 2 errors" in words
    assert "Active, 3008 MB, 60 s, no concurrency reserved" in words
    ask(url, exit="1")
    ask(url, exit="1")
    unwell = shared("status", code=1)
    assert f"'{name}' is unwell: 4 of the last day's 8 requests failed" in unwell.stderr
    assert "lambdacap logs --errors" in unwell.stderr
    assert shared("status", "--json", code=1).data["healthy"] is False


def test_a_gateway_that_may_not_call(deployed: deploy.Deployed, site: Site, shared: Command) -> None:
    assert deployed.changed
    site.aws.lambda_.remove_permission(FunctionName=site.name, Qualifier=LIVE, StatementId=STATEMENT)
    assert "the gateway may not call the function" in shared("status", code=1).stderr
    assert "differs" in shared("status", code=1).stdout


def test_figures_of_cloudwatch(deployed: deploy.Deployed, site: Site) -> None:
    """The local cloud keeps metrics, too, when somebody puts them there."""
    api = [{"Name": "ApiName", "Value": site.name}, {"Name": "Stage", "Value": "prod"}]
    function, own = [{"Name": "FunctionName", "Value": site.name}], [{"Name": "function", "Value": site.name}]
    now = datetime.now(UTC)
    early, late, before = now - timedelta(hours=5), now - timedelta(minutes=1), now - timedelta(hours=30)

    def put(namespace: str, name: str, dimensions: Any, moment: datetime, *values: float) -> None:  # noqa: ANN401
        data: Any = [
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": moment, "Value": value} for value in values
        ]
        site.aws.cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    put("AWS/ApiGateway", "Count", api, early, 1, 1, 1)
    put("AWS/ApiGateway", "Count", api, late, 1)
    put("AWS/ApiGateway", "Count", api, before, 1, 1)
    put("AWS/ApiGateway", "4XXError", api, early, 1, 0, 1)
    put("AWS/ApiGateway", "5XXError", api, late, 1)
    put("AWS/ApiGateway", "Latency", api, early, 1, 1, 1)  # of the page and of refusals, too
    put("lambdacap", "Duration", own, early, 100, 100, 100)
    put("lambdacap", "Duration", own, late, 500)
    put("lambdacap", "ColdStarts", own, early, 1, 0, 0)
    counted = traffic(replace(site, deployment=replace(site.deployment, target="aws")), 1024, "x86_64")
    assert (counted.requests, counted.refused, counted.errors, counted.cold_starts) == (4, 2, 1, 1)
    assert (counted.p50_ms, counted.p95_ms) == (200, 200)
    assert counted.source == "CloudWatch"
    assert deployed.changed  # its first start is an invocation; the rest is paid for requests
    put("AWS/Lambda", "Duration", function, early, 10_000)
    dearer = traffic(replace(site, deployment=replace(site.deployment, target="aws")), 1024, "x86_64")
    assert dearer.cost - counted.cost == pytest.approx(10 * 0.0000166667)


def test_odd_figures_of_cloudwatch(site: Site) -> None:
    with proxying(site.aws.endpoint or "") as proxy:
        secret = site.aws.session.get_credentials().secret_key  # type: ignore[union-attr]
        aws = connect(region=site.aws.region, profile=None, endpoint=proxy.url, secret=secret)
        elsewhere = replace(site, aws=aws, deployment=replace(site.deployment, target="aws"))
        for number in range(80):
            chance = random.Random(number)  # noqa: S311 - no secret
            proxy.spoil = lambda _, reply, chance=chance: spoilt(reply, chance)  # type: ignore[misc]
            with contextlib.suppress(AwsError, LocalCloudError):
                found = traffic(elsewhere, 1024, "x86_64")
                assert views_health.details(Health(None, None, None, found))


def test_nobody_called(site: Site) -> None:
    nothing = traffic(replace(site, deployment=replace(site.deployment, target="aws")), 1024, "x86_64")
    assert nothing == Traffic(0, 0, 0, 0, 0, None, None, 0.0, "CloudWatch")
    assert views_health.details(Health(None, None, None, nothing))["last day"].startswith("0 requests, 0 refused")
    one = replace(nothing, requests=1, refused=1, errors=1, cold_starts=1)
    words = views_health.details(Health(None, None, None, one))["last day"]
    assert words.startswith("1 request, 1 refused, 1 error, 1 cold start, ")


def test_what_may_not_be_seen_is_left_out(deployed: deploy.Deployed, site: Site) -> None:
    heard: list[Event] = []
    _, status = look(site.settings, heard.append)
    assert deployed.changed
    site.aws.logs.delete_log_group(logGroupName=f"/aws/lambda/{site.name}")
    elsewhere = replace(site, report=heard.append, deployment=status.deployment)
    elsewhere.aws.ecr.delete_repository(repositoryName=site.name, force=True)
    images = {**status.states["image"].identity, "digest": "sha256:" + "0" * 64} if status.states["image"] else {}
    assert status.states["image"]
    pushed = replace(status, states={**status.states, "image": replace(status.states["image"], identity=images)})
    seen = examine(elsewhere, pushed)
    assert seen.image is None
    assert seen.function
    assert seen.day is None
    assert len([event for event in heard if isinstance(event, Warned)]) == 2


@pytest.mark.parametrize(
    ("health", "complaint"),
    [
        (Health(None, FUNCTION, None, WELL), None),
        (Health(None, replace(FUNCTION, state="Inactive"), None, WELL), None),
        (Health(None, replace(FUNCTION, state="Failed", reason="no image"), None, None), "has failed (no image)"),
        (Health(None, replace(FUNCTION, update="Failed"), None, None), "last update has failed (no reason given)"),
        (Health(None, None, None, replace(WELL, errors=4)), None),
        (Health(None, None, None, replace(WELL, errors=5)), "5 of the last day's 10 requests failed"),
        (Health(None, None, None, None, forbidden=True), "may not call"),
    ],
)
def test_what_is_unwell(health: Health, complaint: str | None) -> None:
    assert len(health.complaints) == (complaint is not None)
    assert (complaint or "") in "".join(health.complaints)


def test_words() -> None:
    pushed = datetime.now(UTC) - timedelta(days=3)
    details = views_health.details(
        Health(
            Image("abc", "sha256:1", 187_000_000, pushed),
            replace(FUNCTION, update="InProgress", concurrency=5),
            Api("prod", "key", 10.0, 20, 1000),
            replace(WELL, throttled=3),
        )
    )
    assert details == {
        "image": "tag abc, 187.0 MB, pushed 3 days ago",
        "function": "Active, update InProgress, 3008 MB, 60 s, concurrency 5",
        "api": "stage prod, with a key only, 10 requests a second, burst 20, 1000 a day",
        "last day": "10 requests, 1 refused, 0 errors, 3 throttled, 2 cold starts, p50 94 ms, p95 1310 ms, "
        "$0.0012 (by CloudWatch)",
    }


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 50, None), ([7], 95, 7), ([1, 3], 50, 2), (range(101), 95, 95), ([3, 1, 2], 100, 3)],
)
def test_percentiles(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(list(values), share) == expected
