"""What a flood of calls meets, and which pages may call."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from lambdacap.aws.clients import connect
from lambdacap.deployment.record import Deployment
from lambdacap.errors import SettingsError
from lambdacap.events import Event, Warned, silent
from lambdacap.local.cloud import read_cloud
from lambdacap.operations import deploy
from lambdacap.resources import Site
from lambdacap.resources.api.rest_api import Api
from lambdacap.resources.function.concurrency import Concurrency
from lambdacap.settings import Settings
from tests.aws.test_clients import IDENTITY
from tests.calls import recorded
from tests.conftest import STUB, standing_deployment
from tests.servers import Answer, serving

ORIGIN = "https://pictures.example.com"


@pytest.fixture(scope="module")
def standing(cloud_home: Path) -> Iterator[Settings]:
    """One deployment for the module."""
    with standing_deployment("limited", cloud_home) as settings:
        yield settings


@pytest.fixture
def site(standing: Settings, no_engine: None) -> Site:  # noqa: ARG001 - for its effect
    here = read_cloud(standing.home)
    aws = connect(region=None, profile=None, endpoint=here.endpoint, secret=here.secret)
    return Site(aws, standing, Deployment(standing.name, "local", aws.account, aws.region), silent)


def post(url: str, **headers: str) -> requests.Response:
    return requests.post(url, data=b"\xff\xd8", headers={"Content-Type": "image/jpeg", **headers}, timeout=20)


def changes(deployed: deploy.Deployed) -> dict[str, set[str]]:
    return {change.kind: set(change.differences) for change in deployed.changes if change.action != "keep"}


@pytest.mark.usefixtures("site")
def test_a_flood_is_answered_429(standing: Settings) -> None:
    with recorded() as calls:
        deployed = deploy.deploy(replace(standing, rate=1, burst=3), silent)
    assert changes(deployed) == {"api": {"throttle"}}
    assert calls.writing == ["UpdateStage"]  # it holds at once: nothing is deployed anew
    url = deployed.deployment.url or ""
    answers = [post(url) for _ in range(12)]
    served = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(served) + len(refused) == 12
    assert 3 <= len(served) < 9  # a second or a few go by meanwhile
    assert {answer.json()["message"] for answer in refused} == {"Too Many Requests"}
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in refused} == {"*"}
    deploy.deploy(standing, silent)
    time.sleep(1)  # the bucket is empty still, but fills quickly now
    assert {post(url).status_code for _ in range(12)} == {200}


@pytest.mark.usefixtures("site")
def test_a_flood_of_pages_leaves_photos_their_due(standing: Settings) -> None:
    deployed = deploy.deploy(standing, silent)
    url = deployed.deployment.url or ""
    with ThreadPoolExecutor(10) as pool:
        pages = list(pool.map(lambda _: requests.get(url, timeout=60).status_code, range(60)))
    assert set(pages) == {200, 429}
    assert post(url).status_code == 200


@pytest.mark.usefixtures("site")
def test_the_page_s_throttle_is_never_above_the_api_s(site: Site) -> None:
    slow = replace(site, settings=replace(site.settings, rate=1, burst=3))
    wanted = [Api().wanted(each)["throttle"] for each in (site, slow)]
    assert wanted == [
        {"rate": 20, "burst": 40, "page rate": 2, "page burst": 20},
        {"rate": 1, "burst": 3, "page rate": 1, "page burst": 3},
    ]


@pytest.mark.usefixtures("site")
def test_only_one_origin_is_let_in(standing: Settings) -> None:
    settings = replace(standing, origin=ORIGIN, auth="key", given={"auth": "this test"})
    deployed = deploy.deploy(settings, silent)
    assert changes(deployed)["function"] == {"environment"}
    url = deployed.deployment.url or ""
    preflight = requests.options(url, headers={"Origin": ORIGIN}, timeout=20)
    refused, page = post(url, Origin=ORIGIN), requests.get(url, timeout=20)
    assert (refused.status_code, page.json()["environ"]["CORS_ORIGIN"]) == (403, ORIGIN)
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in (preflight, refused)} == {ORIGIN}
    opened = deploy.deploy(replace(standing, auth="none", given={"auth": "this test"}), silent)
    assert "CORS_ORIGIN" not in requests.get(url, timeout=20).json()["environ"]
    assert requests.options(url, timeout=20).headers["Access-Control-Allow-Origin"] == "*"
    assert changes(opened)["api"] == {"OPTIONS /", "OPTIONS /openapi.json", "POST /", "errors", "stage"}


def test_executions_are_reserved(standing: Settings, site: Site) -> None:
    assert changes(deploy.deploy(replace(standing, reserved_concurrency=2), silent)) == {"concurrency": {"reserved"}}
    assert site.aws.lambda_.get_function_concurrency(FunctionName=site.name)["ReservedConcurrentExecutions"] == 2
    other = deploy.deploy(replace(standing, reserved_concurrency=3), silent)
    assert [c.differences for c in other.changes if c.action == "update"] == [{"reserved": (2, 3)}]
    assert changes(deploy.deploy(standing, silent)) == {"concurrency": set()}
    assert "ReservedConcurrentExecutions" not in site.aws.lambda_.get_function_concurrency(FunctionName=site.name)


@pytest.mark.usefixtures("site")
def test_an_alarm_and_a_budget_that_nobody_wants_any_more_go(standing: Settings) -> None:
    watched = replace(standing, alarm_email="anna@example.com", budget=20)
    assert set(changes(deploy.deploy(watched, silent))) == {"alarm", "budget"}
    assert changes(deploy.deploy(watched, silent)) == {}
    assert changes(deploy.deploy(standing, silent)) == {"alarm": set(), "budget": set()}
    assert changes(deploy.deploy(standing, silent)) == {}


@pytest.mark.parametrize(("message", "borne"), [("its minimum value of [10].", True), ("something else", False)])
def test_too_small_an_account_has_its_api_all_the_same(message: str, borne: bool) -> None:
    """New accounts have 10 executions altogether; AWS keeps that many for functions that reserve none."""
    reason = f"Specified ReservedConcurrentExecutions for function decreases account's {message}"
    if borne:
        reason = reason.replace("account's", "account's UnreservedConcurrentExecution below")
    refusal = json.dumps({"__type": "InvalidParameterValueException", "message": reason}).encode()
    told: list[Event] = []
    with serving(IDENTITY, Answer(400, refusal), Answer()) as server:
        aws = connect(region=None, profile=None, endpoint=server.url)
        site = Site(aws, Settings(reserved_concurrency=5), Deployment("x", "local", "1", "us-east-1"), told.append)
        if not borne:
            with pytest.raises(aws.lambda_.exceptions.InvalidParameterValueException):
                Concurrency().create(site)
            return
        assert Concurrency().create(site).properties == {"reserved": None}
    (warning,) = told
    assert isinstance(warning, Warned)
    assert "5 executions cannot be reserved" in warning.text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 0}, "rate = 0 is out of range"),
        ({"burst": 6000}, "burst = 6000 is out of range"),
        ({"reserved_concurrency": 0}, "reserved_concurrency = 0 is out of range"),
        ({"quota": 0}, "quota = 0 lets nobody in"),
        ({"alarm_email": "anna"}, "alarm_email 'anna' is no e-mail address"),
        ({"alarm_email": "anna@example.com\nbob@example.com"}, "is no e-mail address"),
        ({"alarm_calls": 0}, "alarm_calls = 0 is out of range"),
        ({"alarm_email": "anna@example.com", "budget": 0}, "budget = 0 is out of range"),
        ({"budget": 5}, "budget = 5, but nobody would be told"),
        ({"origin": "example.com"}, "origin 'example.com' is none"),
        ({"origin": "https://example.com/page"}, "origin 'https://example.com/page' is none"),
        ({"origin": "null'"}, 'origin "null\'" is none'),
    ],
)
def test_what_cannot_be_set(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    assert message in str(caught.value)


@pytest.mark.parametrize("run", [deploy.deploy, deploy.survey])
def test_a_quota_without_a_key_is_told_before_a_cloud_starts(run: Any, tmp_path: Path) -> None:  # noqa: ANN401
    settings = Settings(name="limited", local=True, docker=False, image=STUB, home=tmp_path / "home", quota=5)
    with pytest.raises(SettingsError, match="there is no key to count requests by"):
        run(settings, silent)
    assert not settings.home.exists()
