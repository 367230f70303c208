"""The IAM policy that a deployer needs: what lambdacap calls, on what carries the deployment's name or tag.

Actions, resources and condition keys are those of the Service Authorization Reference. Some calls need an action of
another name, or a second one: Invoke is `lambda:InvokeFunction`, tags given on creation need the tagging action too,
GetFunction tells tags to those only who may `lambda:ListTags`, and API Gateway knows just HTTP's verbs on paths.
Everything under an API inherits its tags, which is how an API, whose id nobody knows beforehand, is told from others.
Tags given with its creation are checked as `/tags/…%2Frestapis%2F*`, with a star for the id: `${*}` is that star and no
pattern, so that nothing which exists can be given our tag.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lambdacap.aws.clients import LOCAL_REGION, TAG, ambient, connect, partition_of
from lambdacap.deployment.record import Records, chosen, follow, remembered
from lambdacap.errors import AwsError, CredentialsError, SettingsError
from lambdacap.events import Report, Warned
from lambdacap.resources.api.rest_api import STAGE
from lambdacap.settings import Settings

NO_ACCOUNT = "ACCOUNT-ID"
"""Stands in the ARNs when nobody is signed in; IAM refuses it, so that it is not overlooked."""
LOCAL_ACCOUNT = "000000000000"
MANAGED, OF_A_USER = 6144, 2048
"""Characters, white space not counted, of a managed policy and of all inline policies of a user (IAM's quotas)."""

Condition = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Statement:
    """One statement: these actions on these resources, each on those of its own service."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Condition = field(default_factory=dict)

    @property
    def document(self) -> dict[str, object]:
        """In the policy language."""
        condition = {"Condition": {operator: dict(keys) for operator, keys in self.condition.items()}}
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
            **(condition if self.condition else {}),
        }

    def pairs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each action with the resources that it can be meant for."""
        for action in self.actions:
            service = action.partition(":")[0]
            fitting = tuple(arn for arn in self.resources if arn == "*" or arn.split(":")[2] == service)
            yield action, fitting


@dataclass(frozen=True)
class Scope:
    """Which deployment is meant. The role is to have the `boundary`, if any; callers sign where it is `signed`."""

    name: str
    region: str
    account: str
    partition: str = "aws"
    boundary: str | None = None
    signed: bool = False

    def arn(self, service: str, resource: str) -> str:
        """ARNs of IAM and of budgets have no region, API Gateway's no account."""
        region = "" if service in ("iam", "budgets") else self.region
        account = "" if service == "apigateway" else self.account
        return f"arn:{self.partition}:{service}:{region}:{account}:{resource}"


def scope(settings: Settings, report: Report) -> Scope:
    """Where the settings mean to deploy. Without credentials the account stays open, which `report` is told.

    Raises `SettingsError` without a region.
    """
    records = Records(settings.home)
    if known := chosen(settings, records, "local" if settings.local else "aws"):
        settings = remembered(settings, known)
    boundary, signed = settings.boundary, settings.auth == "iam"
    if settings.local:
        return Scope(settings.name, settings.region or LOCAL_REGION, LOCAL_ACCOUNT, "aws", boundary, signed)
    settings = follow(settings, records, "aws")
    try:
        aws = connect(region=settings.region, profile=settings.profile, endpoint=None)
    except (CredentialsError, AwsError) as error:
        region = settings.region or ambient(settings.profile)["region"][0]
        if region is None:
            raise SettingsError("no AWS region is set", hint="Give one, for example --region eu-central-1.") from error
        report(Warned(f"put your account's number where {NO_ACCOUNT} stands: {error.message}"))
        return Scope(settings.name, region, NO_ACCOUNT, partition_of(region), boundary, signed)
    return Scope(settings.name, aws.region, aws.account, aws.partition, boundary, signed)


def statements(scope: Scope) -> tuple[Statement, ...]:
    """What deploy, redeploy, status, logs, invoke, rollback and teardown need, by what it is for."""
    repository = scope.arn("ecr", f"repository/{scope.name}")
    role = scope.arn("iam", f"role/{scope.name}-{scope.region}")
    group = scope.arn("logs", f"log-group:/aws/lambda/{scope.name}")
    function = scope.arn("lambda", f"function:{scope.name}")
    # CloudWatch Logs writes one resource in two ways; versions and aliases come after the function's name.
    own = (repository, role, group, f"{group}:*", function, f"{function}:*")
    gateway = tuple(scope.arn("apigateway", f"/{kind}") for kind in ("restapis", "usageplans", "apikeys"))
    new = scope.arn("apigateway", "/tags/*%2F${*}")
    watch = (
        scope.arn("sns", scope.name),
        scope.arn("cloudwatch", f"alarm:{scope.name}"),
        scope.arn("budgets", f"budget/{scope.name}-{scope.region}"),
    )
    call = scope.arn("execute-api", f"*/{STAGE}/POST/")
    here: Condition = {"StringEquals": {"aws:RequestedRegion": scope.region}}
    tagging: Condition = {"StringEquals": {f"aws:RequestTag/{TAG}": scope.name}}
    tagged: Condition = {"StringEquals": {f"aws:ResourceTag/{TAG}": scope.name}}
    bounded = {"iam:PermissionsBoundary": scope.boundary} if scope.boundary else {}
    bounding = ("iam:PutRolePermissionsBoundary",) if scope.boundary else ()
    return (
        Statement("LookAround", _LOOK_AROUND, ("*",), here),
        # One statement for many purposes: a policy has no room to list the same resources for each.
        Statement("Use", (*_LOOK, *_PUSH, *_CHANGE, *_WARN), (*own, *gateway, *watch)),
        Statement("PassRole", ("iam:PassRole",), (role,), {"StringEquals": {"iam:PassedToService": _LAMBDA}}),
        Statement("Make", _MAKE, (repository, role, group, f"{group}:*", function, *gateway), tagging),
        Statement("MakeRole", ("iam:CreateRole",), (role,), _and(tagging, bounded)),
        Statement("TagNew", ("apigateway:PUT",), (new,), tagging),
        Statement("ChangeRole", (*_CHANGE_ROLE, *bounding), (role,), _and(tagged, bounded)),
        Statement("ChangeApi", _VERBS, (scope.arn("apigateway", "/*"),), tagged),
        Statement("Remove", _REMOVE, own, tagged),
        *((Statement("Call", ("execute-api:Invoke",), (call,)),) if scope.signed else ()),
    )


def _and(condition: Condition, values: Mapping[str, str]) -> Condition:
    """The condition with more values that have to be equal."""
    return {"StringEquals": {**condition["StringEquals"], **values}}


def size(document: dict[str, object]) -> int:
    """Characters of a policy as IAM counts them: without white space."""
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def fits(document: dict[str, object]) -> str:
    """What kind of policy it can be, in words."""
    length = size(document)
    user = (
        "or a user's inline policy" if length <= OF_A_USER else f"not a user's inline one, which ends at {OF_A_USER:,}"
    )
    kind = (
        f"make a managed policy of it, {user}"
        if length <= MANAGED
        else f"no managed policy holds more than {MANAGED:,}"
    )
    return f"{length:,} characters without white space: {kind}"


def document(statements: tuple[Statement, ...]) -> dict[str, object]:
    """The whole policy, each statement with no more resources than its actions are for."""
    narrowed = [
        replace(s, resources=tuple(arn for arn in s.resources if any(arn in arns for _, arns in s.pairs())))
        for s in statements
    ]
    return {"Version": "2012-10-17", "Statement": [statement.document for statement in narrowed]}


_LAMBDA = "lambda.amazonaws.com"
_LOOK_AROUND = (
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ecr:GetAuthorizationToken",
    "logs:DescribeLogGroups",
    "sns:Unsubscribe",
    "tag:GetResources",
)
"""What AWS lets nobody ask about one resource alone, and a call on subscriptions, which have no names."""
_LOOK = (
    "apigateway:GET",
    "ecr:DescribeImages",
    "ecr:GetRepositoryPolicy",
    "ecr:ListImages",
    "ecr:ListTagsForResource",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:GetPolicy",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
    "logs:FilterLogEvents",
    "logs:ListTagsForResource",
)
_MAKE = (
    "apigateway:POST",
    "ecr:CreateRepository",
    "ecr:TagResource",
    "iam:TagRole",
    "lambda:CreateFunction",
    "lambda:TagResource",
    "logs:CreateLogGroup",
    "logs:TagResource",
)
_PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
"""`docker push` (ECR's guide: "IAM permissions for pushing an image"), and what Lambda asks its caller for."""
_CHANGE = (
    "ecr:BatchDeleteImage",
    "ecr:SetRepositoryPolicy",
    "lambda:AddPermission",
    "lambda:CreateAlias",
    "lambda:DeleteFunction",
    "lambda:DeleteFunctionConcurrency",
    "lambda:InvokeFunction",
    "lambda:PublishVersion",
    "lambda:PutFunctionConcurrency",
    "lambda:RemovePermission",
    "lambda:UpdateAlias",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "logs:PutRetentionPolicy",
)
_CHANGE_ROLE = (
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
)
_VERBS = tuple(f"apigateway:{verb}" for verb in ("DELETE", "GET", "PATCH", "POST", "PUT"))
_REMOVE = ("ecr:DeleteRepository", "logs:DeleteLogGroup")
_WARN = (
    "budgets:ListTagsForResource",
    "budgets:ModifyBudget",
    "budgets:TagResource",
    "budgets:ViewBudget",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:ListTagsForResource",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:TagResource",
    "sns:CreateTopic",
    "sns:DeleteTopic",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTagsForResource",
    "sns:Subscribe",
    "sns:TagResource",
)
"""Whoever may modify a budget may make and delete it."""
