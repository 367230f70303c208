"""All that an account holds of a deployment, read with boto3 alone and freed of what no two runs share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from lambdacap.aws.clients import LOCAL_KEY
from lambdacap.local.cloud import Cloud

ACCOUNT = "000000000000"
VOLATILE = {
    "ResponseMetadata",
    "RevisionId",
    "LastModified",
    "CodeSha256",
    "CreateDate",
    "creationTime",
    "createdAt",
    "createdDate",
    "lastUpdatedDate",
    "RoleId",
    "parentId",
    "RoleLastUsed",
    "LastUpdateStatus",
    "StateReason",
    "StateReasonData",
    "StateUpdatedTimestamp",
    "StateValue",
    "AlarmConfigurationUpdatedTimestamp",
    "cacheNamespace",
    "storedBytes",
    "value",
}
"""Keys of dates, revisions, random ids, secrets, and of what an alarm says of calls."""


class Account:
    """The local cloud, seen without lambdacap."""

    def __init__(self, cloud: Cloud, home: Path) -> None:
        self.home = home
        session = boto3.Session(LOCAL_KEY, cloud.secret, region_name="us-east-1")
        services = ("ecr", "iam", "logs", "lambda", "apigateway", "sns", "cloudwatch", "budgets")
        self.ecr, self.iam, self.logs, self.lambda_, self.gateway, self.sns, self.cloudwatch, self.budgets = (
            session.client(service, endpoint_url=cloud.endpoint)  # type: ignore[call-overload]
            for service in services
        )

    def snapshot(self, name: str) -> dict[str, Any]:
        """What is there of the deployment `name`; an empty dictionary when nothing is."""
        found = {
            "repository": self._repository(name),
            "role": self._roles(name),
            "log groups": self._log_groups(name),
            "function": self._function(name),
            "apis": self._apis(name),
            "usage plans": self._usage_plans(name),
            "keys": [key for key in self.gateway.get_api_keys()["items"] if key["name"].startswith(name)],
            "topic": self._topic(name),
            "alarms": self.cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"],
            "budget": self._budget(name),
            "copies": self._copies(name),
            "record": self._record(name),
        }
        words = json.dumps(_still({key: value for key, value in found.items() if value}), sort_keys=True)
        for kind, things in (
            ("api", self.gateway.get_rest_apis()["items"]),
            ("plan", self.gateway.get_usage_plans()["items"]),
            ("key", self.gateway.get_api_keys()["items"]),
        ):
            for thing in things:
                words = words.replace(thing["id"], f"<{kind}>")
        for role in self.iam.list_roles()["Roles"]:
            words = words.replace(role["RoleId"], "<role's id>")
        words = re.sub(r"http://127\.0\.0\.1:\d+|127\.0\.0\.1:\d+", "<cloud>", words)
        # Versions are numbered as they come: one more try is another number.
        words = re.sub(r"(function:[\w-]+:|version |\"version\": \")\d+", r"\1<n>", words)
        result: dict[str, Any] = json.loads(words.replace(name, "<name>"))
        return result

    def _repository(self, name: str) -> object:
        found = _found(lambda: self.ecr.describe_repositories(repositoryNames=[name])["repositories"])
        if not found:
            return None
        policy = _found(lambda: self.ecr.get_repository_policy(repositoryName=name)["policyText"])
        tags = self.ecr.list_tags_for_resource(resourceArn=found[0]["repositoryArn"])["tags"]
        return {"repository": found[0], "policy": policy and json.loads(policy), "tags": tags}

    def _roles(self, name: str) -> object:
        roles = [role for role in self.iam.list_roles()["Roles"] if role["RoleName"].startswith(f"{name}-us-")]
        return [
            {
                "role": role,
                "tags": self.iam.list_role_tags(RoleName=role["RoleName"])["Tags"],
                "policies": {
                    policy: self.iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"]
                    for policy in self.iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
                },
            }
            for role in roles
        ]

    def _log_groups(self, name: str) -> object:
        groups = self.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
        return [
            {**group, "tags": self.logs.list_tags_log_group(logGroupName=group["logGroupName"])["tags"]}
            for group in groups
        ]

    def _function(self, name: str) -> object:
        function = _found(lambda: self.lambda_.get_function(FunctionName=name))
        if not function:
            return None
        versions = self.lambda_.list_versions_by_function(FunctionName=name)["Versions"]
        aliases = self.lambda_.list_aliases(FunctionName=name)["Aliases"]
        by_version = {version.pop("Version"): version for version in versions}
        policies = {alias["Name"]: self._policy(name, alias["Name"]) for alias in aliases}
        return {
            "latest": function,
            "versions": sorted(by_version.values(), key=lambda version: version["MemorySize"]),
            "concurrency": _found(lambda: self.lambda_.get_function_concurrency(FunctionName=name)),
            "aliases": [{**alias, "FunctionVersion": by_version.get(alias["FunctionVersion"])} for alias in aliases],
            "policies": policies,
        }

    def _policy(self, name: str, alias: str) -> object:
        policy = _found(lambda: self.lambda_.get_policy(FunctionName=name, Qualifier=alias)["Policy"])
        return policy and json.loads(policy)

    def _apis(self, name: str) -> object:
        gateway = self.gateway
        return [
            {
                "api": {key: value for key, value in api.items() if key != "rootResourceId"},
                "resources": [
                    {key: value for key, value in resource.items() if key != "id"}
                    for resource in gateway.get_resources(restApiId=api["id"], embed=["methods"])["items"]
                ],
                "stages": [
                    {key: value for key, value in stage.items() if key != "deploymentId"}
                    for stage in gateway.get_stages(restApiId=api["id"])["item"]
                ],
                "deployments": len(gateway.get_deployments(restApiId=api["id"])["items"]),
                "responses": gateway.get_gateway_responses(restApiId=api["id"])["items"],
            }
            for api in gateway.get_rest_apis()["items"]
            if api["name"] == name
        ]

    def _usage_plans(self, name: str) -> object:
        return [
            {
                **plan,
                "quota": _quota(plan.get("quota")),
                "keys": [key["id"] for key in self.gateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"]],
            }
            for plan in self.gateway.get_usage_plans()["items"]
            if plan["name"].startswith(name)
        ]

    def _topic(self, name: str) -> object:
        arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
        tags = _found(lambda: self.sns.list_tags_for_resource(ResourceArn=arn)["Tags"])
        if tags is None:
            return None
        told = self.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        return {"tags": tags, "told": sorted((one["Protocol"], one["Endpoint"]) for one in told)}

    def _budget(self, name: str) -> object:
        where = {"AccountId": ACCOUNT, "BudgetName": f"{name}-us-east-1"}
        budget = _found(lambda: self.budgets.describe_budget(**where)["Budget"])
        return budget and {key: budget[key] for key in ("BudgetLimit", "BudgetType", "TimeUnit", "CostFilters")}

    def _copies(self, name: str) -> list[str]:
        folder = self.home / "local" / "images" / name
        return sorted(copy.name for copy in folder.iterdir()) if folder.is_dir() else []

    def _record(self, name: str) -> object:
        records = (self.home / "deployments").rglob(f"{name}.json")
        return [json.loads(record.read_text("utf-8")) for record in records]


def _found(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - AWS's own shapes
    try:
        return call()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404 or "NotFound" in str(error):
            return None
        raise


def _quota(quota: Any) -> dict[str, str] | None:  # noqa: ANN401 - API Gateway's own shape
    """As AWS says it, whether given with the plan or patched: then the local cloud keeps text, and {} before one."""
    return {key: str(value) for key, value in {"offset": 0, **quota}.items()} if quota else None


def _still(value: Any) -> Any:  # noqa: ANN401 - JSON
    """`value` without what changes from run to run; dates as words."""
    if isinstance(value, dict):
        return {key: _still(inner) for key, inner in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [_still(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
