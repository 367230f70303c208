"""What every resource promises: found or not, ensured twice the same, removed twice in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

import pytest

from lambdacap.aws.clients import TAG
from lambdacap.deployment.record import Records
from lambdacap.errors import NotOursError
from lambdacap.events import Report, silent
from lambdacap.operations import deploy
from lambdacap.operations.status import status
from lambdacap.operations.teardown import teardown
from lambdacap.resources import RESOURCES, Resource, Site
from lambdacap.resources.log_group import log_group_name
from lambdacap.resources.repository import pull_policy
from lambdacap.resources.role import TRUST, log_policy, role_name
from lambdacap.resources.watch.budget import budget_name
from lambdacap.settings import Settings
from tests.calls import recorded
from tests.sites import a_role_of_others, ensured, having, removed

EVERYTHING: Any = {
    "auth": "key",
    "quota": 100,
    "reserved_concurrency": 5,
    "alarm_email": "anna@example.com",
    "budget": 50,
}
"""Settings that need every resource."""
ONLY_LOGS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}],
}
Undo = Callable[[], object]


@pytest.fixture
def site(site: Site) -> Iterator[Site]:
    """With settings that need every resource."""
    site = replace(site, settings=replace(site.settings, **EVERYTHING))
    yield site
    removed(site)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_ensured_twice_and_removed_twice(resource: Resource, site: Site) -> None:
    site = ensured(site, until=resource)
    assert resource.find(site) is None
    assert resource.change(site, None).action == "create"

    made, change = resource.ensure(site, None)
    assert change.action == "create"
    site = having(site, resource, made)
    there = resource.find(site)
    assert there == made

    with recorded() as calls:
        again, change = resource.ensure(site, there)
    assert (again, change.action, change.differences) == (made, "keep", {})
    assert calls.writing == []

    resource.remove(site, made)
    assert resource.find(site) is None
    resource.remove(site, made)
    assert resource.find(site) is None


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_looking_writes_nothing(resource: Resource, site: Site) -> None:
    with recorded() as calls:
        resource.change(site, resource.find(site))
    assert calls.writing == []


def test_the_order_is_the_one_in_which_they_need_each_other() -> None:
    assert [r.kind for r in RESOURCES] == [
        "repository",
        "image",
        "role",
        "log group",
        "function",
        "concurrency",
        "api",
        "usage plan",
        "alarm",
        "budget",
    ]


def as_pairs(tags: dict[str, str]) -> Any:  # noqa: ANN401 - each service's stubs have a type of their own
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def take_repository(site: Site, tags: dict[str, str]) -> Undo:
    ecr, name = site.aws.ecr, site.name
    ecr.create_repository(repositoryName=name, tags=as_pairs(tags))
    return lambda: ecr.delete_repository(repositoryName=name)


def take_role(site: Site, tags: dict[str, str]) -> Undo:
    iam, name = site.aws.iam, role_name(site)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=as_pairs(tags))
    return lambda: iam.delete_role(RoleName=name)


def take_log_group(site: Site, tags: dict[str, str]) -> Undo:
    logs, name = site.aws.logs, log_group_name(site)
    logs.create_log_group(logGroupName=name, tags=tags)
    return lambda: logs.delete_log_group(logGroupName=name)


def take_function(site: Site, tags: dict[str, str]) -> Undo:
    lambda_, name = site.aws.lambda_, site.name
    role = a_role_of_others(site)
    lambda_.create_function(
        FunctionName=name,
        PackageType="Image",
        Code={"ImageUri": "someone/elses:image"},
        Role=role,
        Tags=tags,
    )
    return lambda: lambda_.delete_function(FunctionName=name)


def take_topic(site: Site, tags: dict[str, str]) -> Undo:
    topic = site.aws.sns.create_topic(Name=site.name, Tags=as_pairs(tags))["TopicArn"]
    return lambda: site.aws.sns.delete_topic(TopicArn=topic)


def take_alarm(site: Site, tags: dict[str, str]) -> Undo:
    name, watch = site.name, site.aws.cloudwatch
    rule: Any = {"Namespace": "x", "MetricName": "y", "Period": 60, "EvaluationPeriods": 1, "Statistic": "Sum"}
    watch.put_metric_alarm(
        AlarmName=name, ComparisonOperator="GreaterThanThreshold", Threshold=1, Tags=as_pairs(tags), **rule
    )
    return lambda: watch.delete_alarms(AlarmNames=[name])


def take_budget(site: Site, tags: dict[str, str]) -> Undo:
    account, name, budgets = site.aws.account, budget_name(site), site.aws.budgets
    limit: Any = {"Amount": "1", "Unit": "USD"}
    budgets.create_budget(
        AccountId=account,
        Budget={"BudgetName": name, "BudgetLimit": limit, "BudgetType": "COST", "TimeUnit": "MONTHLY"},
        ResourceTags=as_pairs(tags),
    )
    return lambda: budgets.delete_budget(AccountId=account, BudgetName=name)


def take_api(site: Site, tags: dict[str, str]) -> Undo:
    gateway = site.aws.apigateway
    api = gateway.create_rest_api(name=site.name, tags=tags)["id"]
    return lambda: gateway.delete_rest_api(restApiId=api)


@pytest.mark.parametrize("tags", [{}, {TAG: "somebody-elses"}], ids=["untagged", "tagged otherwise"])
@pytest.mark.parametrize(
    "take",
    [take_repository, take_role, take_log_group, take_function, take_api, take_topic, take_alarm, take_budget],
)
def test_what_is_not_ours_stays_untouched(
    take: Callable[[Site, dict[str, str]], Undo], tags: dict[str, str], site: Site, settings: Settings
) -> None:
    give_back = take(site, tags)
    acts: list[Callable[[Settings, Report], object]] = [
        deploy.deploy,
        deploy.plan,
        status,
        teardown,
    ]
    try:
        for act in acts:
            with recorded() as calls, pytest.raises(NotOursError, match=f"tag lambdacap={site.name}:") as caught:
                act(settings, silent)
            assert calls.writing == []
            assert "--name" in caught.value.hint
        assert Records(settings.home).all(site.name) == []
    finally:
        give_back()  # only now: it is somebody else's, so this fails if lambdacap deleted it


def test_everything_carries_the_tag(site: Site) -> None:
    site = ensured(site)
    aws, there = site.aws, site.deployment.resources
    repository = aws.ecr.list_tags_for_resource(resourceArn=there["repository"]["arn"])["tags"]
    role = aws.iam.list_role_tags(RoleName=role_name(site))["Tags"]
    wanted = {TAG: site.name}
    assert {tag["Key"]: tag["Value"] for tag in repository} == wanted
    assert {tag["Key"]: tag["Value"] for tag in role} == wanted
    assert aws.logs.list_tags_for_resource(resourceArn=there["log group"]["arn"])["tags"] == wanted
    assert aws.lambda_.list_tags(Resource=there["function"]["arn"])["Tags"] == wanted
    assert aws.apigateway.get_rest_api(restApiId=there["api"]["id"])["tags"] == wanted
    assert aws.apigateway.get_usage_plan(usagePlanId=there["usage plan"]["id"])["tags"] == wanted
    assert aws.apigateway.get_api_key(apiKey=there["usage plan"]["key"])["tags"] == wanted
    assert aws.sns.list_tags_for_resource(ResourceArn=there["alarm"]["topic"])["Tags"] == as_pairs(wanted)
    assert aws.cloudwatch.list_tags_for_resource(ResourceARN=there["alarm"]["arn"])["Tags"] == as_pairs(wanted)
    assert aws.budgets.list_tags_for_resource(ResourceARN=there["budget"]["arn"])["ResourceTags"] == as_pairs(wanted)


def test_tags_that_a_company_adds_are_no_matter(site: Site) -> None:
    site = ensured(site)
    aws, there, more = site.aws, site.deployment.resources, {"cost-centre": "42"}
    aws.ecr.tag_resource(resourceArn=there["repository"]["arn"], tags=as_pairs(more))
    aws.iam.tag_role(RoleName=role_name(site), Tags=as_pairs(more))
    aws.logs.tag_resource(resourceArn=there["log group"]["arn"], tags=more)
    aws.lambda_.tag_resource(Resource=there["function"]["arn"], Tags=more)
    api = f"arn:aws:apigateway:{aws.region}::/restapis/{there['api']['id']}"
    aws.apigateway.tag_resource(resourceArn=api, tags=more)
    plan, key = there["usage plan"]["id"], there["usage plan"]["key"]
    aws.apigateway.tag_resource(resourceArn=f"arn:aws:apigateway:{aws.region}::/usageplans/{plan}", tags=more)
    aws.apigateway.tag_resource(resourceArn=f"arn:aws:apigateway:{aws.region}::/apikeys/{key}", tags=more)
    aws.sns.tag_resource(ResourceArn=there["alarm"]["topic"], Tags=as_pairs(more))
    aws.cloudwatch.tag_resource(ResourceARN=there["alarm"]["arn"], Tags=as_pairs(more))
    aws.budgets.tag_resource(ResourceARN=there["budget"]["arn"], ResourceTags=as_pairs(more))
    for resource in RESOURCES:
        assert resource.change(site, resource.find(site)).action == "keep"


def test_the_role_may_write_to_its_own_log_group_and_nothing_else(site: Site) -> None:
    site = ensured(site)
    iam, name = site.aws.iam, role_name(site)
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["logs"]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    document: Any = iam.get_role_policy(RoleName=name, PolicyName="logs")["PolicyDocument"]
    (statement,) = (json.loads(unquote(document)) if isinstance(document, str) else document)["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/{site.name}:*",
    }
    trust: Any = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")


def test_only_this_api_may_invoke_the_function(site: Site) -> None:
    site = ensured(site)
    api = site.deployment.resources["api"]["id"]
    (statement,) = json.loads(site.aws.lambda_.get_policy(FunctionName=site.name, Qualifier="live")["Policy"])[
        "Statement"
    ]
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert statement["Action"] == "lambda:InvokeFunction"
    # One API, one stage, one path: its root.
    source = f"arn:aws:execute-api:us-east-1:000000000000:{api}/prod/*/*"
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": source}}


def test_only_lambda_may_pull_for_this_function(site: Site) -> None:
    site = ensured(site, until=RESOURCES[1])
    policy = json.loads(site.aws.ecr.get_repository_policy(repositoryName=site.name)["policyText"])
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert set(statement["Action"]) == {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
    function = f"arn:aws:lambda:us-east-1:000000000000:function:{site.name}"
    # Its versions too, and no function whose name begins alike.
    assert statement["Condition"] == {"StringLike": {"aws:sourceArn": [function, f"{function}:*"]}}


def test_exactly_this_function_may_pull(site: Site) -> None:
    policy: Any = pull_policy(site)
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    patterns = statement["Condition"]["StringLike"]["aws:sourceArn"]
    arn = site.aws.arn("lambda", f"function:{site.name}")
    for caller, may in ((arn, True), (f"{arn}:7", True), (f"{arn}-2", False), (f"{arn}x:7", False), (arn[:-1], False)):
        assert any(fnmatchcase(caller, pattern) for pattern in patterns) == may, caller


def test_a_boundary_is_set_on_the_role_and_stays(site: Site) -> None:
    """Set at its creation or later; one that is not named stays, and another replaces it."""
    role = next(resource for resource in RESOURCES if resource.kind == "role")
    iam = site.aws.iam
    arns = [
        iam.create_policy(PolicyName=f"{site.name}-{number}", PolicyDocument=json.dumps(ONLY_LOGS))["Policy"]["Arn"]
        for number in range(2)
    ]

    def bounded(arn: str | None) -> Site:
        return replace(site, settings=replace(site.settings, boundary=arn))

    def bound() -> str | None:
        found = iam.get_role(RoleName=role_name(site))["Role"].get("PermissionsBoundary", {})
        return found.get("PermissionsBoundaryArn")

    try:
        for arn, expected in ((None, None), (arns[0], arns[0]), (None, arns[0]), (arns[1], arns[1])):
            here = bounded(arn)
            role.ensure(here, role.find(here))
            assert bound() == expected
            assert role.change(here, role.find(here)).action == "keep"
        there = role.find(site)
        assert there
        role.remove(site, there)
        made, _ = role.ensure(bounded(arns[0]), None)
        assert bound() == arns[0]
        assert role.find(bounded(arns[0])) == made
    finally:
        removed(site)
        for arn in arns:
            iam.delete_policy(PolicyArn=arn)


def test_a_role_with_policies_that_others_hung_there_goes_too(site: Site) -> None:
    role = next(resource for resource in RESOURCES if resource.kind == "role")
    state, _ = role.ensure(site, None)
    iam, name = site.aws.iam, role_name(site)
    iam.put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=json.dumps(log_policy(site)))
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    role.remove(site, state)
    assert role.find(site) is None


def test_our_api_is_found_beside_another_of_its_name(site: Site) -> None:
    """Names of APIs are not unique; ours stays ours when a company adds tags."""
    gateway = site.aws.apigateway
    others = [gateway.create_rest_api(name=site.name)["id"] for _ in range(3)]
    # In whatever order they are listed, ours is the one.
    ours = gateway.create_rest_api(name=site.name, tags={**site.tags, "cost-centre": "42"})["id"]
    others += [gateway.create_rest_api(name=site.name)["id"] for _ in range(3)]
    try:
        state = next(resource for resource in RESOURCES if resource.kind == "api").find(site)
        assert state is not None
        assert state.identity["id"] == ours
    finally:
        for other in others:
            gateway.delete_rest_api(restApiId=other)


def test_a_log_group_whose_name_only_begins_alike_is_another(site: Site) -> None:
    logs, name = site.aws.logs, f"{log_group_name(site)}-2"
    logs.create_log_group(logGroupName=name)
    try:
        assert next(resource for resource in RESOURCES if resource.kind == "log group").find(site) is None
    finally:
        logs.delete_log_group(logGroupName=name)
