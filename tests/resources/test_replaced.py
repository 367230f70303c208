"""What hung on a resource that is made anew is gone with it, whatever was seen before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from lambdacap.events import silent
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.resources import Change, Site
from lambdacap.settings import Settings
from tests.proxy import ALWAYS, Proxy


@pytest.fixture
def reserved(settings: Settings) -> Iterator[Settings]:
    """A deployment with a reservation, which like the alias' permission is deleted with the function."""
    settings = replace(
        settings, reserved_concurrency=5, auth="key", origin="https://example.com", given={"auth": "this test"}
    )
    deploy.deploy(settings, silent)
    yield settings
    teardown(settings, silent)


def actions(changes: list[Change]) -> dict[str, str]:
    return {change.kind: change.action for change in changes if change.action != "keep"}


def is_whole(settings: Settings, site: Site) -> None:
    """The next deploy would change nothing, the API may call the function, and five executions are its own."""
    assert actions(deploy.plan(settings, silent)) == {}
    answer = site.aws.lambda_.get_function_concurrency(FunctionName=site.name)
    assert answer["ReservedConcurrentExecutions"] == 5
    url = deploy.survey(settings, silent).states["api"].identity["url"]  # type: ignore[union-attr]
    assert requests.get(url, timeout=30).status_code == 200
    assert "lambdacap-api" in site.aws.lambda_.get_policy(FunctionName=site.name, Qualifier="live")["Policy"]


def failed(qualifiers: set[str]) -> Callable[[Any], Any]:
    """GetFunction's answers, in which these versions have failed."""

    def change(answer: Any) -> Any:  # noqa: ANN401 - JSON
        version = answer["Configuration"]["Version"]
        state = {"State": "Failed", "StateReasonCode": "ImageDeleted"} if version in qualifiers else {}
        return {**answer, "Configuration": {**answer["Configuration"], **state}}

    return change


@pytest.mark.parametrize("qualifiers", [{"$LATEST"}, {"1"}, {"$LATEST", "1"}])
def test_a_function_that_has_failed(
    qualifiers: set[str], reserved: Settings, site: Site, between_commands: Proxy
) -> None:
    rule = failed(qualifiers)
    between_commands.change("GetFunction", rule, times=2)
    expected = {"function": "create", "concurrency": "create", "api": "update"}
    assert actions(deploy.plan(reserved, silent)) == expected
    between_commands.change("GetFunction", rule, times=2)
    assert actions(deploy.deploy(reserved, silent).changes) == expected
    is_whole(reserved, site)


def delete_the_role(site: Site) -> None:
    name = f"{site.name}-{site.aws.region}"
    site.aws.iam.delete_role_policy(RoleName=name, PolicyName="logs")
    site.aws.iam.delete_role(RoleName=name)


def test_a_role_that_was_deleted(reserved: Settings, site: Site) -> None:
    """Lambda lets the role's unique id read the variables: one of the same name later has another."""
    delete_the_role(site)
    expected = {"role": "create", "function": "create", "concurrency": "create", "api": "update"}
    assert actions(deploy.plan(reserved, silent)) == expected
    assert actions(deploy.deploy(reserved, silent).changes) == expected
    is_whole(reserved, site)


def test_a_role_that_a_run_which_was_cut_short_made_anew(
    reserved: Settings, site: Site, between_commands: Proxy
) -> None:
    delete_the_role(site)
    between_commands.refuse("DeleteFunction", "AccessDeniedException", status=403)
    with pytest.raises(Exception, match="DeleteFunction"):
        deploy.deploy(reserved, silent)
    assert actions(deploy.deploy(reserved, silent).changes)["function"] == "create"
    is_whole(reserved, site)


def test_a_function_that_was_deleted(reserved: Settings, site: Site) -> None:
    site.aws.lambda_.delete_function(FunctionName=site.name)
    planned = actions(deploy.plan(reserved, silent))
    assert planned == actions(deploy.deploy(reserved, silent).changes)
    is_whole(reserved, site)


@pytest.mark.parametrize("gone", ["api", "usage plan", "repository"])
def test_another_resource_that_was_deleted(gone: str, reserved: Settings, site: Site) -> None:
    identity = deploy.survey(reserved, silent).site.deployment.resources[gone]  # type: ignore[union-attr]
    if gone == "api":
        site.aws.apigateway.delete_rest_api(restApiId=identity["id"])
    elif gone == "usage plan":
        site.aws.apigateway.delete_usage_plan(usagePlanId=identity["id"])
    else:
        site.aws.ecr.delete_repository(repositoryName=site.name, force=True)
    deploy.deploy(reserved, silent)
    is_whole(reserved, site)


def test_what_the_account_does_not_grant_is_not_unfinished(
    reserved: Settings, site: Site, between_commands: Proxy
) -> None:
    """A new account's ten executions cannot be reserved: the deployment is whole without."""
    site.aws.lambda_.delete_function_concurrency(FunctionName=site.name)
    words = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution"
    between_commands.refuse("PutFunctionConcurrency", "InvalidParameterValueException", words, times=ALWAYS)
    told: list[Any] = []
    assert "concurrency" not in actions(deploy.deploy(reserved, told.append).changes)
    assert any("5 executions cannot be reserved" in str(event) for event in told)
    assert not deploy.deploy(reserved, silent, only=("api", "usage plan")).changed
    survey = deploy.survey(reserved, silent)
    assert all(survey.states.values())
    assert actions(survey.changes) == {"concurrency": "create"}  # it would be asked for again
