"""What the tagging API lists. It goes on with what was deleted for minutes to hours (its reference: GetResources)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from lambdacap.aws.clients import TAG, code, found
from lambdacap.resources.resource import Site

_REFUSALS = ("AccessDenied", "AccessDeniedException", "AuthorizationError")


def listed(site: Site) -> list[str]:
    """ARNs in this region that carry the deployment's tag, and are there when they are looked up themselves."""
    pages = site.aws.tagging.get_paginator("get_resources").paginate(TagFilters=[{"Key": TAG, "Values": [site.name]}])
    arns = [entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"]]
    return [arn for arn in arns if _is_there(site, arn)]


def _is_there(site: Site, arn: str) -> bool:
    """Whether `arn` exists. What nobody here knows how to look up, or may not see, counts as there."""
    service, resource = [*arn.split(":", 5), *[""] * 5][2:6:3]
    for kind, pattern, look in _LOOKS:
        if kind == service and (match := re.fullmatch(pattern, resource)):
            try:
                return look(site, arn, *match.groups())
            except ClientError as error:
                if code(error) in _REFUSALS:
                    return True
                raise
    return True


def _repository(site: Site, arn: str) -> bool:
    return bool(found(lambda: site.aws.ecr.list_tags_for_resource(resourceArn=arn), "RepositoryNotFoundException"))


def _function(site: Site, arn: str, name: str) -> bool:  # noqa: ARG001 - each look has the same form
    return bool(found(lambda: site.aws.lambda_.get_function(FunctionName=name), "ResourceNotFoundException"))


def _log_group(site: Site, arn: str, name: str) -> bool:  # noqa: ARG001
    groups = site.aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group.get("logGroupName") == name for group in groups)


def _topic(site: Site, arn: str) -> bool:
    missing = ("NotFound", "ResourceNotFound", "ResourceNotFoundException")
    return bool(found(lambda: site.aws.sns.list_tags_for_resource(ResourceArn=arn), *missing))


def _alarm(site: Site, arn: str, name: str) -> bool:  # noqa: ARG001
    return bool(site.aws.cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"])


def _api(site: Site, arn: str, api: str, stage: str | None) -> bool:  # noqa: ARG001
    """By the list of all: one that is gone has no tags, by which a deployer is allowed to ask for it alone."""
    if api not in _ids(site, "get_rest_apis"):
        return False
    gateway = site.aws.apigateway
    return stage is None or bool(found(lambda: gateway.get_stage(restApiId=api, stageName=stage), "NotFoundException"))


def _plan(site: Site, arn: str, plan: str) -> bool:  # noqa: ARG001
    return plan in _ids(site, "get_usage_plans")


def _key(site: Site, arn: str, key: str) -> bool:  # noqa: ARG001
    return key in _ids(site, "get_api_keys")


def _ids(site: Site, call: str) -> Iterator[str]:
    pages = site.aws.apigateway.get_paginator(call).paginate(PaginationConfig={"PageSize": 500})  # type: ignore[call-overload]
    return (item["id"] for page in pages for item in page["items"])


_LOOKS: tuple[tuple[str, str, Callable[..., bool]], ...] = (
    ("ecr", "repository/.+", _repository),
    ("lambda", "function:([^:]+)", _function),
    ("logs", r"log-group:([^:]+)(?::\*)?", _log_group),
    ("sns", "[^:]+", _topic),
    ("cloudwatch", "alarm:(.+)", _alarm),
    ("apigateway", "/restapis/([^/]+)(?:/stages/([^/]+))?", _api),
    ("apigateway", "/usageplans/([^/]+)", _plan),
    ("apigateway", "/apikeys/([^/]+)", _key),
)
"""Service, resource part of the ARN, and how to look it up; the groups of the pattern are what it takes."""
