"""Who may call: each `auth` against each kind of caller, and what becomes of the key."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from requests.auth import AuthBase

from lambdacap.aws.clients import connect
from lambdacap.deployment.record import Deployment, Records
from lambdacap.errors import CredentialsError, DeploymentError, SettingsError
from lambdacap.events import silent
from lambdacap.local.cloud import read_cloud
from lambdacap.operations import deploy
from lambdacap.operations.access import Key, Signature, api_key
from lambdacap.resources import Site
from lambdacap.resources.api.usage_plan import UsagePlan
from lambdacap.resources.log_group import log_group_name
from lambdacap.settings import Settings
from tests.command import Command
from tests.conftest import ACCOUNT, REGION, standing_deployment

PICTURE = b"\xff\xd8\x00\xff"
FORBIDDEN, NO_TOKEN = (403, "Forbidden"), (403, "Missing Authentication Token")
CAPTION = (200, "4 bytes")
MATRIX = {
    ("none", "nothing"): CAPTION,
    ("none", "a wrong key"): CAPTION,
    ("key", "nothing"): FORBIDDEN,
    ("key", "a wrong key"): FORBIDDEN,
    ("key", "the key"): CAPTION,
    ("key", "a signature"): FORBIDDEN,
    ("iam", "nothing"): NO_TOKEN,
    ("iam", "a wrong key"): NO_TOKEN,
    ("iam", "a signature"): CAPTION,
}


def given(settings: Settings, **values: Any) -> Settings:  # noqa: ANN401 - as many types as settings
    """As if the user had said so."""
    return replace(settings, **values, given={**settings.given, **dict.fromkeys(values, "a flag")})


@pytest.fixture(scope="module")
def standing(cloud_home: Path) -> Iterator[Settings]:
    """One deployment for the module; each test says which `auth` it has."""
    with standing_deployment("closed", cloud_home) as settings:
        yield settings


@pytest.fixture
def site(standing: Settings, no_engine: None) -> Site:  # noqa: ARG001 - for its effect
    here = read_cloud(standing.home)
    aws = connect(region=None, profile=None, endpoint=here.endpoint, secret=here.secret)
    return Site(aws, standing, recorded(standing), silent)


def recorded(settings: Settings) -> Deployment:
    return Records(settings.home).load(Deployment(settings.name, "local", ACCOUNT, REGION))


def call(url: str, auth: AuthBase | None = None, method: str = "POST") -> tuple[int, str]:
    """The status, and what was said."""
    body, headers = (PICTURE, {"Content-Type": "image/jpeg"}) if method == "POST" else (None, {})
    answer = requests.request(method, url, data=body, headers=headers, auth=auth, timeout=20)
    if method == "OPTIONS":
        return answer.status_code, answer.headers["Access-Control-Allow-Headers"]
    said = answer.json()
    return answer.status_code, said.get("caption" if method == "POST" else "method") or said["message"]


def started(site: Site) -> int:
    """How often the function was, by its log."""
    pages = site.aws.logs.get_paginator("filter_log_events").paginate(logGroupName=log_group_name(site))
    return sum(event["message"].startswith("START") for page in pages for event in page["events"])


def test_the_matrix(standing: Settings, site: Site) -> None:
    """Who may not is told so by the gateway, and the function is not started for it."""
    for auth in ("none", "key", "iam"):
        settings = given(standing, auth=auth)
        url = deploy.deploy(settings, silent).deployment.url or ""
        callers: dict[str, AuthBase | None] = {
            "nothing": None,
            "a wrong key": Key("x" * 40),
            "a signature": Signature(site.aws.session, REGION),
        }
        if auth == "key":
            callers["the key"] = Key(api_key(settings))
        for caller, carried in callers.items():
            if (auth, caller) not in MATRIX:
                continue
            before = started(site)
            answer = call(url, carried)
            print(f"{auth:<6}{caller:<14}{answer}")
            assert answer == MATRIX[auth, caller], (auth, caller)
            assert started(site) - before == (answer == CAPTION), (auth, caller)
        # The page and the preflight are for any browser; only it can ask for the key.
        assert call(url, method="GET") == (200, "GET")
        assert "X-Api-Key" in call(url, method="OPTIONS")[1]


def test_what_is_not_said_stays(standing: Settings, site: Site) -> None:
    """No API is opened by forgetting a flag, whether or not there is a record."""
    deploy.deploy(given(standing, auth="key"), silent)
    assert not deploy.deploy(standing, silent).changed
    assert all(change.action == "keep" for change in deploy.plan(standing, silent))
    Records(standing.home).delete(recorded(standing))
    assert not deploy.deploy(standing, silent).changed
    assert recorded(standing).settings["auth"] == "key"
    planned = {change.kind: change.action for change in deploy.plan(given(standing, auth="none"), silent)}
    assert (planned["api"], planned["usage plan"]) == ("update", "remove")
    opened = deploy.deploy(given(standing, auth="none"), silent)
    assert {c.kind for c in opened.changes if c.action != "keep"} == {"api", "usage plan"}
    assert UsagePlan().find(site) is None
    assert site.aws.apigateway.get_api_keys(nameQuery=site.name)["items"] == []
    assert "usage plan" not in recorded(standing).resources
    with pytest.raises(DeploymentError, match="has no API key"):
        api_key(standing)


def test_a_quota_is_counted_by_the_day(standing: Settings) -> None:
    with pytest.raises(SettingsError, match="there is no key to count requests by"):
        deploy.deploy(given(standing, auth="none", quota=2), silent)
    settings = given(standing, auth="key", quota=2)
    url = deploy.deploy(settings, silent).deployment.url or ""
    key = Key(api_key(settings))
    assert [call(url, key)[0] for _ in range(3)] == [200, 200, 429]
    assert call(url, key) == (429, "Limit Exceeded")
    other = deploy.deploy(given(standing, auth="key", quota=50), silent)
    assert [c.differences for c in other.changes if c.action == "update"] == [{"daily quota": (2, 50)}]
    assert Key(api_key(settings))._value == key._value  # the plan is another, the key is not
    assert call(url, key) == CAPTION


def lose_the_plan(site: Site) -> None:
    plan = site.deployment.resources["usage plan"]["id"]
    site.aws.apigateway.delete_usage_plan(usagePlanId=plan)


def lose_the_key(site: Site) -> None:
    site.aws.apigateway.delete_api_key(apiKey=site.deployment.resources["usage plan"]["key"])


def take_the_key_out(site: Site) -> None:
    there = site.deployment.resources["usage plan"]
    site.aws.apigateway.delete_usage_plan_key(usagePlanId=there["id"], keyId=there["key"])


def disable_the_key(site: Site) -> None:
    lose_the_key(site)
    site.aws.apigateway.create_api_key(name=site.name, tags=site.tags, enabled=False)


def mean_another_api(site: Site) -> None:
    lose_the_plan(site)
    site.aws.apigateway.create_usage_plan(
        name=site.name, tags=site.tags, apiStages=[{"apiId": "other", "stage": "prod"}]
    )


def have_two_plans(site: Site) -> None:
    """As when an answer is lost and botocore asks again."""
    site.aws.apigateway.create_usage_plan(name=site.name, tags=site.tags)
    site.aws.apigateway.create_api_key(name=site.name, tags=site.tags)


@pytest.mark.parametrize(
    "break_off", [lose_the_plan, lose_the_key, take_the_key_out, disable_the_key, mean_another_api, have_two_plans]
)
def test_whatever_is_left_is_completed_and_removed(break_off: Any, standing: Settings, site: Site) -> None:  # noqa: ANN401
    settings = given(standing, auth="key")
    url = deploy.deploy(settings, silent).deployment.url or ""
    site = replace(site, settings=settings, deployment=recorded(settings))
    foreign = site.aws.apigateway.create_api_key(name=site.name, tags={"lambdacap": "another"})["id"]
    break_off(site)
    deploy.deploy(settings, silent)
    assert call(url, Key(api_key(settings))) == CAPTION
    assert not deploy.deploy(settings, silent).changed
    break_off(replace(site, deployment=recorded(settings)))
    deploy.deploy(given(standing, auth="none"), silent)
    keys = site.aws.apigateway.get_api_keys(nameQuery=site.name)["items"]
    assert [key["id"] for key in keys] == [foreign]  # somebody else's
    plans = site.aws.apigateway.get_usage_plans()["items"]
    assert [plan for plan in plans if plan["name"] == site.name] == []
    site.aws.apigateway.delete_api_key(apiKey=foreign)


@pytest.mark.slow
def test_the_key_is_shown_once_and_kept_nowhere(shared: Command, name: str, tmp_path: Path) -> None:
    photo = tmp_path / "photo.bmp"
    from PIL import Image

    Image.new("RGB", (8, 8)).save(photo)
    made = shared("deploy", "--local", "--auth", "key", "--debug")
    key = shared("key").stdout.strip()
    assert made.stderr.count(key) == 1
    assert made.stdout.startswith("http://127.0.0.1:")
    assert shared("key", "--json").data == {"key": key}
    told = [
        shared("deploy", "--local", "--debug"),
        shared("deploy", "--local", "--json"),
        shared("deploy", "--local", "--dry-run", "--json"),
        shared("invoke", photo, "--debug", "--json"),
        shared("invoke", photo, photo, "--debug"),
        shared("status", "--debug"),
        shared("status", "--json"),
        shared("config", "--json"),
        shared("deploy", "--local", "--auth", "iam", "--debug"),
    ]
    (record,) = (shared.home / "deployments").rglob(f"{name}.json")
    assert not [result for result in told if key in result.stdout + result.stderr]
    assert key not in record.read_text("utf-8")
    assert f"{photo}: " in told[4].stdout
    assert "has no API key" in shared("key", code=1).stderr
    assert shared("invoke", photo).stdout == f"{photo.stat().st_size} bytes\n"
    record.unlink()
    assert shared("invoke", photo, "--local").stdout == f"{photo.stat().st_size} bytes\n"
    last = shared("teardown", "--yes", "--local")
    assert last.stderr.count(" removed ") == 6


def test_who_may_call_is_said(shared: Command) -> None:
    opened = shared("deploy", "--local", "--auth", "none")
    assert "no key is asked for: on AWS the URL would be public" in opened.stderr
    assert "auth 'open' is unknown" in shared("deploy", "--local", "--auth", "open", code=1).stderr
    assert "callers sign with AWS credentials" in shared("create-api", "--auth", "iam").stderr
    assert "callers send this as X-Api-Key" in shared("create-api", "--auth", "key").stderr
    shared("teardown", "--yes")


@pytest.fixture(scope="module")
def strict_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MiniStack that checks signatures and policies, as AWS does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AWS_ACCESS_KEY_ID": "root",
        "AWS_SECRET_ACCESS_KEY": "root",
    }
    folder = tmp_path_factory.mktemp("strict")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "ministack"], cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def session(key: str, secret: str) -> boto3.Session:
    return boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=REGION)


def test_signatures_hold_where_they_are_checked(strict_cloud: str) -> None:
    """The signature over method, address, query and body is right, and the permission is execute-api:Invoke."""
    root = session("root", "root")
    gateway = root.client("apigateway", endpoint_url=strict_cloud)
    api = gateway.create_rest_api(name="signed")
    place: Any = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "POST"}
    gateway.put_method(**place, authorizationType="AWS_IAM")
    gateway.put_integration(**place, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_method_response(**place, statusCode="200")
    gateway.put_integration_response(**place, statusCode="200")
    gateway.create_deployment(restApiId=api["id"], stageName="prod")
    url = f"{strict_cloud}/restapis/{api['id']}/prod/_user_request_/?beam=3&attention=1"

    iam = root.client("iam", endpoint_url=strict_cloud)
    users = {}
    for name, effect in (("may", "Allow"), ("may-not", "Deny")):
        iam.create_user(UserName=name)
        statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="call", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        users[name] = session(key["AccessKeyId"], key["SecretAccessKey"])
        wrong = session(key["AccessKeyId"], "not the secret")

    def post(auth: AuthBase | None, body: bytes = PICTURE) -> int:
        headers = {"Content-Type": "application/json"}
        return requests.post(url, data=body, headers=headers, auth=auth, timeout=20).status_code

    class Tampered(Signature):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            signed = super().__call__(request)
            signed.body = b"another picture"
            signed.headers["Content-Length"] = str(len(signed.body))
            return signed

    answers = {
        "may": post(Signature(users["may"], REGION)),
        "may, an empty body": post(Signature(users["may"], REGION), b""),
        "may not": post(Signature(users["may-not"], REGION)),
        "wrong secret": post(Signature(wrong, REGION)),
        "another body than was signed": post(Tampered(users["may"], REGION)),
        "nobody": post(None),
    }
    print(answers)
    assert answers == {
        "may": 200,
        "may, an empty body": 200,
        "may not": 403,
        "wrong secret": 403,
        "another body than was signed": 403,
        "nobody": 403,
    }


def test_without_credentials_nothing_is_signed() -> None:
    signature = Signature(boto3.Session(region_name=REGION), REGION)
    with pytest.raises(CredentialsError, match="no AWS credentials were found"):
        signature(requests.Request("POST", "https://x.execute-api.us-east-1.amazonaws.com/prod/", data=b"x").prepare())
