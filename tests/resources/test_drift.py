"""What somebody changed by hand is found by `plan` and `status`, and mended by `deploy`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from lambdacap.aws.clients import connect
from lambdacap.deployment.record import Deployment, Records
from lambdacap.events import Event, Warned, silent
from lambdacap.local.cloud import read_cloud
from lambdacap.operations import deploy
from lambdacap.operations.status import status
from lambdacap.resources import Site
from lambdacap.resources.log_group import log_group_name
from lambdacap.resources.repository import pull_policy
from lambdacap.resources.role import log_policy, role_name
from lambdacap.settings import Settings
from tests.calls import recorded
from tests.conftest import ACCOUNT, REGION, standing_deployment
from tests.sites import a_role_of_others

Drift = Callable[[Site], object]
CALLS_OF_A_DEPLOY_WITHOUT_CHANGE = 15
"""With an engine; without one nobody asks ECR for the image."""


@pytest.fixture(scope="module")
def standing(cloud_home: Path) -> Iterator[Settings]:
    """One deployment for the module: every test leaves it as it was."""
    with standing_deployment("drifting", cloud_home) as settings:
        yield settings


@pytest.fixture
def site(standing: Settings, no_engine: None) -> Site:  # noqa: ARG001 - for its effect
    here = read_cloud(standing.home)
    aws = connect(region=None, profile=None, endpoint=here.endpoint, secret=here.secret)
    blank = Deployment(standing.name, target="local", account=ACCOUNT, region=REGION)
    return Site(aws, standing, Records(standing.home).load(blank), silent)


def open_the_repository(site: Site) -> None:
    policy: Any = pull_policy(site)
    policy["Statement"][0]["Principal"] = "*"
    site.aws.ecr.set_repository_policy(repositoryName=site.name, policyText=json.dumps(policy))


def close_the_repository(site: Site) -> None:
    site.aws.ecr.delete_repository_policy(repositoryName=site.name)


def trust_another_service(site: Site) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    site.aws.iam.update_assume_role_policy(RoleName=role_name(site), PolicyDocument=json.dumps(trust))


def allow_the_role_everything(site: Site) -> None:
    policy: Any = log_policy(site)
    policy["Statement"][0] |= {"Action": "*", "Resource": "*"}
    site.aws.iam.put_role_policy(RoleName=role_name(site), PolicyName="logs", PolicyDocument=json.dumps(policy))


def allow_the_role_nothing(site: Site) -> None:
    site.aws.iam.delete_role_policy(RoleName=role_name(site), PolicyName="logs")


def keep_logs_for_a_year(site: Site) -> None:
    site.aws.logs.put_retention_policy(logGroupName=log_group_name(site), retentionInDays=365)


def keep_logs_for_ever(site: Site) -> None:
    site.aws.logs.delete_retention_policy(logGroupName=log_group_name(site))


def configure(**values: Any) -> Drift:  # noqa: ANN401 - UpdateFunctionConfiguration's arguments
    def drift(site: Site) -> None:
        site.aws.lambda_.update_function_configuration(FunctionName=site.name, **values)
        site.aws.lambda_.get_waiter("function_updated_v2").wait(FunctionName=site.name, WaiterConfig={"Delay": 1})

    return drift


def run_as_another_role(site: Site) -> None:
    configure(Role=a_role_of_others(site))(site)


def add_a_variable(site: Site) -> None:
    now = site.aws.lambda_.get_function_configuration(FunctionName=site.name)["Environment"]["Variables"]
    configure(Environment={"Variables": {**now, "DEBUG": "1"}})(site)


def run_another_image(site: Site) -> None:
    site.aws.lambda_.update_function_code(FunctionName=site.name, ImageUri="someone/elses:image")


def put_the_unpublished_live(site: Site) -> None:
    add_a_variable(site)
    site.aws.lambda_.update_alias(FunctionName=site.name, Name="live", FunctionVersion="$LATEST")


def method(site: Site, verb: str) -> Any:  # noqa: ANN401 - arguments that API Gateway's calls share
    api = site.deployment.resources["api"]["id"]
    root = next(r for r in site.aws.apigateway.get_resources(restApiId=api)["items"] if r["path"] == "/")
    return {"restApiId": api, "resourceId": root["id"], "httpMethod": verb}


def delete_method(verb: str) -> Drift:
    return lambda site: site.aws.apigateway.delete_method(**method(site, verb))


def point_elsewhere(site: Site) -> None:
    site.aws.apigateway.put_integration(
        **method(site, "GET"), type="HTTP_PROXY", integrationHttpMethod="GET", uri="http://example.invalid/"
    )


def call_another_function(site: Site) -> None:
    uri = site.aws.apigateway.get_integration(**method(site, "POST"))["uri"].replace(site.name, "other")
    site.aws.apigateway.put_integration(**method(site, "POST"), type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)


def ask_for_a_signature(site: Site) -> None:
    place = method(site, "POST")
    site.aws.apigateway.delete_method(**place)
    site.aws.apigateway.put_method(**place, authorizationType="AWS_IAM")


def refuse_other_origins(site: Site) -> None:
    headers = {"method.response.header.Access-Control-Allow-Origin": "'https://example.com'"}
    site.aws.apigateway.put_integration_response(
        **method(site, "OPTIONS"), statusCode="200", responseParameters=headers
    )


def let_other_origins_guess(site: Site) -> None:
    api = site.deployment.resources["api"]["id"]
    site.aws.apigateway.delete_gateway_response(restApiId=api, responseType="DEFAULT_4XX")


def lift_the_throttle(site: Site) -> None:
    operations: Any = [{"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "9000"}]
    site.aws.apigateway.update_stage(
        restApiId=site.deployment.resources["api"]["id"], stageName="prod", patchOperations=operations
    )


def reserve_executions(site: Site) -> None:
    site.aws.lambda_.put_function_concurrency(FunctionName=site.name, ReservedConcurrentExecutions=3)


def forbid_the_api(site: Site) -> None:
    site.aws.lambda_.remove_permission(FunctionName=site.name, Qualifier="live", StatementId="lambdacap-api")


def allow_every_api(site: Site) -> None:
    forbid_the_api(site)
    site.aws.lambda_.add_permission(
        FunctionName=site.name,
        Qualifier="live",
        StatementId="lambdacap-api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )


def delete_the_stage(site: Site) -> None:
    site.aws.apigateway.delete_stage(restApiId=site.deployment.resources["api"]["id"], stageName="prod")


def change_the_stages_variable(site: Site) -> None:
    operations: Any = [{"op": "replace", "path": "/variables/configuration", "value": "old"}]
    site.aws.apigateway.update_stage(
        restApiId=site.deployment.resources["api"]["id"], stageName="prod", patchOperations=operations
    )


DRIFTS: dict[str, tuple[Drift, str, str]] = {
    "repository opened": (open_the_repository, "repository", "policy"),
    "repository closed": (close_the_repository, "repository", "policy"),
    "trust": (trust_another_service, "role", "trust"),
    "role widened": (allow_the_role_everything, "role", "policy"),
    "role policy gone": (allow_the_role_nothing, "role", "policy"),
    "retention": (keep_logs_for_a_year, "log group", "retention"),
    "retention gone": (keep_logs_for_ever, "log group", "retention"),
    "timeout": (configure(Timeout=3), "function", "timeout"),
    "storage": (configure(EphemeralStorage={"Size": 1024}), "function", "storage"),
    "memory": (configure(MemorySize=128), "function", "memory"),
    "function's role": (run_as_another_role, "function", "role"),
    "log format": (configure(LoggingConfig={"LogFormat": "JSON"}), "function", "logging"),
    "variable": (add_a_variable, "function", "environment"),
    "code": (run_another_image, "function", "image"),
    "alias moved": (put_the_unpublished_live, "function", "environment"),
    "GET elsewhere": (point_elsewhere, "api", "GET /"),
    "POST to another function": (call_another_function, "api", "POST /"),
    "POST signed": (ask_for_a_signature, "api", "POST /"),
    "POST gone": (delete_method("POST"), "api", "POST /"),
    "OPTIONS gone": (delete_method("OPTIONS"), "api", "OPTIONS /"),
    "CORS": (refuse_other_origins, "api", "OPTIONS /"),
    "errors": (let_other_origins_guess, "api", "errors"),
    "throttle": (lift_the_throttle, "api", "throttle"),
    "permission gone": (forbid_the_api, "api", "permission"),
    "permission widened": (allow_every_api, "api", "permission"),
    "stage gone": (delete_the_stage, "api", "stage, throttle"),
    "stage stale": (change_the_stages_variable, "api", "stage"),
}


@pytest.mark.parametrize("case", DRIFTS)
def test_drift_is_found_and_mended(case: str, site: Site, standing: Settings) -> None:
    drift, kind, keys = DRIFTS[case]
    expected = {kind: set(keys.split(", "))}
    drift(site)
    with recorded() as calls:
        assert changes(deploy.plan(standing, silent)) == expected
    assert calls.writing == []
    assert changes(deploy.deploy(standing, silent).changes) == expected
    there = status(standing, silent)
    assert there.complete
    assert changes(list(there.changes.values())) == {}
    answers(Records(standing.home).load(site.deployment).url or "")


def changes(planned: list[Any]) -> dict[str, set[str]]:
    assert {change.action for change in planned} <= {"keep", "update"}
    return {change.kind: set(change.differences) for change in planned if change.action == "update"}


def answers(url: str) -> None:
    """The API does all that it should, drifts of the gateway or none."""
    with requests.Session() as session:
        posted = session.post(url, data=b"\xff\xd8\x00\xff", headers={"Content-Type": "image/jpeg"}, timeout=10)
        assert (posted.status_code, posted.json()["caption"]) == (200, "4 bytes")
        assert session.get(url, timeout=10).json()["method"] == "GET"
        preflight = session.options(url, timeout=10)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET,POST,OPTIONS"


def test_a_missing_alias_comes_back_with_its_permission(site: Site, standing: Settings) -> None:
    site.aws.lambda_.delete_alias(FunctionName=site.name, Name="live")
    expected = {"function": {"live"}, "api": {"permission"}}
    assert changes(deploy.plan(standing, silent)) == expected
    deployed = deploy.deploy(standing, silent)
    assert changes(deployed.changes) == expected
    assert changes(deploy.plan(standing, silent)) == {}
    answers(deployed.deployment.url or "")


def delete_repository(site: Site) -> None:
    site.aws.ecr.delete_repository(repositoryName=site.name, force=True)


def delete_role(site: Site) -> None:
    site.aws.iam.delete_role_policy(RoleName=role_name(site), PolicyName="logs")
    site.aws.iam.delete_role(RoleName=role_name(site))


def delete_log_group(site: Site) -> None:
    site.aws.logs.delete_log_group(logGroupName=log_group_name(site))


def delete_function(site: Site) -> None:
    site.aws.lambda_.delete_function(FunctionName=site.name)


@pytest.mark.parametrize("delete", [delete_repository, delete_role, delete_log_group, delete_function])
def test_a_resource_that_somebody_deleted_comes_back(delete: Drift, site: Site, standing: Settings) -> None:
    kind = delete.__name__.removeprefix("delete_").replace("_", " ")
    delete(site)
    there = status(standing, silent)
    assert [kind for kind, state in there.states.items() if state is None] == [kind]
    assert there.exists
    assert not there.complete
    looked = deploy.plan(standing, silent)
    planned = {change.kind: change.action for change in looked}
    # The permission to call it went with the function.
    others = {"api": "update"} if kind == "function" else {}
    assert planned == {**dict.fromkeys(planned, "keep"), kind: "create", **others}
    assert {key for change in looked if change.action == "update" for key in change.differences} <= {"permission"}
    deployed = deploy.deploy(standing, silent)
    assert {change.kind: change.action for change in deployed.changes} == planned
    assert status(standing, silent).complete
    answers(deployed.deployment.url or "")


def test_a_record_that_somebody_changed_is_written_anew(site: Site, standing: Settings) -> None:
    records = Records(standing.home)
    true = records.load(site.deployment)
    records.save(replace(true.having("api", {"id": "x", "url": "http://127.0.0.1:1/"}), settings={"memory": 128}))
    told: list[Event] = []
    assert changes(deploy.plan(standing, told.append)) == {}
    assert Warned("the record does not say what is there: a deploy writes it anew") in told
    assert not deploy.deploy(standing, silent).changed
    assert records.load(site.deployment) == true
    told.clear()
    assert changes(deploy.plan(standing, told.append)) == {}
    assert [event for event in told if isinstance(event, Warned)] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}'])
def test_a_record_that_cannot_be_read_is_written_anew(text: str, site: Site, standing: Settings) -> None:
    records = Records(standing.home)
    true = records.load(site.deployment)
    records.path(true).write_text(text, "utf-8")
    told: list[Event] = []
    assert changes(deploy.plan(standing, told.append)) == {}
    warned = [event.text for event in told if isinstance(event, Warned)]
    assert f"{records.path(true)} is no readable record" in warned[0]
    assert len(warned) == 2  # that, and that nothing is on record therefore
    assert not deploy.deploy(standing, silent).changed
    assert records.load(site.deployment) == true


def test_an_api_that_somebody_deleted_gets_another_address(site: Site, standing: Settings) -> None:
    before = site.deployment.resources["api"]["id"]
    site.aws.apigateway.delete_rest_api(restApiId=before)
    deployed = deploy.deploy(standing, silent)
    assert deployed.deployment.resources["api"]["id"] != before
    answers(deployed.deployment.url or "")


@pytest.mark.usefixtures("no_engine")
def test_a_deploy_without_change_asks_little_and_writes_nothing(standing: Settings) -> None:
    with recorded() as calls:
        deployed = deploy.deploy(standing, silent)
    assert not deployed.changed
    assert calls.writing == []
    assert len(calls) < CALLS_OF_A_DEPLOY_WITHOUT_CHANGE, calls


@pytest.mark.usefixtures("no_engine")
def test_settings_that_changed_are_deployed(standing: Settings) -> None:
    other = replace(standing, memory=512, timeout=9, log_retention=3)
    planned = changes(deploy.plan(other, silent))
    assert planned == {"log group": {"retention"}, "function": {"memory", "timeout"}}
    assert changes(deploy.deploy(other, silent).changes) == planned
    assert changes(deploy.plan(other, silent)) == {}
    deploy.deploy(standing, silent)
