"""How a deployment does: what AWS says of its parts beyond what `deploy` sets, and whether that is well."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambdacap.aws.clients import found, translated
from lambdacap.errors import AwsError, CredentialsError, DeploymentError
from lambdacap.events import Warned
from lambdacap.insight.traffic import Traffic, traffic
from lambdacap.local.images import Images
from lambdacap.operations.status import Status
from lambdacap.resources import Site
from lambdacap.resources.api.rest_api import STAGE
from lambdacap.resources.api.usage_plan import UsagePlan
from lambdacap.resources.function.release import LIVE

MANY = 0.5
"""Share of requests that failed in a day from which on something is wrong, and not only one caller's picture."""


@dataclass(frozen=True)
class Image:
    """`digest` is empty for a copy of the folder. `size` in bytes: compressed, as ECR keeps and bills it; None where
    the local cloud counts the manifest alone."""

    tag: str
    digest: str
    size: int | None
    pushed: datetime

    @property
    def days(self) -> float:
        return (datetime.now(UTC) - self.pushed).total_seconds() / 86_400


@dataclass(frozen=True)
class Function:
    """`state` and `update` are Lambda's words; `concurrency` is what is reserved of the account's, None: nothing."""

    state: str
    reason: str
    update: str
    version: str
    memory: int
    timeout: int
    concurrency: int | None


@dataclass(frozen=True)
class Api:
    """`auth` says who may call; `rate` in requests a second and `burst` are None without a throttle of its own.

    `quota` is how many requests a day the key is good for, None: without limit.
    """

    stage: str
    auth: str
    rate: float | None
    burst: int | None
    quota: int | None = None


@dataclass(frozen=True)
class Health:
    """None is what could not be seen. `forbidden`: the gateway lacks the permission to call the function."""

    image: Image | None
    function: Function | None
    api: Api | None
    day: Traffic | None
    forbidden: bool = False

    @property
    def complaints(self) -> list[str]:
        """What is wrong, each in a sentence's part."""
        found = []
        if self.function and self.function.state == "Failed":
            found.append(f"the function has failed ({self.function.reason or 'no reason given'})")
        if self.function and self.function.update == "Failed":
            found.append(f"the function's last update has failed ({self.function.reason or 'no reason given'})")
        if self.forbidden:
            found.append("the gateway may not call the function, which `lambdacap deploy` mends")
        if self.day and self.day.errors >= max(1, MANY * self.day.requests):
            found.append(f"{self.day.errors} of the last day's {self.day.requests} requests failed")
        return found


def examine(site: Site, status: Status) -> Health:
    """Asks for all parts at once; what may not be seen is told and left out."""
    function = status.states["function"]
    properties: Any = function.properties if function else {"memory": 0, "architecture": ""}
    work: dict[str, Callable[[], Any]] = {
        "image": lambda: _image(site, status),
        "function": lambda: _function(site) if function else None,
        "api": lambda: _api(site, status),
        "day": lambda: traffic(site, properties["memory"], properties["architecture"]) if function else None,
    }
    # Clients are made here, since that is not for several threads.
    _ = site.aws.cloudwatch, site.aws.logs, site.aws.ecr, site.aws.lambda_, site.aws.apigateway
    with ThreadPoolExecutor(len(work)) as pool:
        parts = {name: pool.submit(_seen, site, call) for name, call in work.items()}
        changes = status.changes["api"].differences if "api" in status.changes else {}
        return Health(**{name: part.result() for name, part in parts.items()}, forbidden="permission" in changes)


def _seen(site: Site, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what `call` returns
    try:
        with translated(site.aws):
            return call()
    except (AwsError, CredentialsError, DeploymentError) as error:
        site.report(Warned(f"left out of the status: {error.message}"))
        return None


def _image(site: Site, status: Status) -> Image | None:
    state = status.states["image"]
    if state is None:
        return None
    tag, digest = state.identity["tag"], state.identity.get("digest", "")
    if not digest:
        folder = Images(site.settings.home).path(site.name, tag)
        copied = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Image(tag, "", copied, datetime.fromtimestamp(folder.stat().st_mtime, UTC))
    answer = site.aws.ecr.describe_images(repositoryName=site.name, imageIds=[{"imageDigest": digest}])
    detail = answer["imageDetails"][0]
    size = None if site.aws.endpoint else detail.get("imageSizeInBytes")
    return Image(tag, digest, size, detail["imagePushedAt"].astimezone(UTC))


def _function(site: Site) -> Function:
    lambda_ = site.aws.lambda_
    answer = lambda_.get_function(FunctionName=site.name)
    concurrency = answer.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    latest: Any = answer["Configuration"]
    live: Any = found(
        lambda: lambda_.get_function_configuration(FunctionName=site.name, Qualifier=LIVE), "ResourceNotFoundException"
    )
    live = live or latest  # nothing is released yet
    return Function(
        state=live.get("State", "Active"),
        reason=live.get("StateReason") or latest.get("LastUpdateStatusReason") or "",
        update=latest.get("LastUpdateStatus", "Successful"),
        version=live["Version"],
        memory=live["MemorySize"],
        timeout=live["Timeout"],
        concurrency=concurrency,
    )


def _api(site: Site, status: Status) -> Api | None:
    state = status.states["api"]
    if state is None:
        return None
    gateway, api = site.aws.apigateway, state.identity["id"]
    stage = gateway.get_stage(restApiId=api, stageName=STAGE)
    setting: Any = stage.get("methodSettings", {}).get("*/*", {})
    paths = gateway.get_resources(restApiId=api, embed=["methods"])["items"]
    roots = [resource.get("resourceMethods", {}) for resource in paths if resource["path"] == "/"]
    method: Any = roots[0].get("POST", {}) if roots else {}
    auth = "key" if method.get("apiKeyRequired") else str(method.get("authorizationType", "NONE"))
    plan = status.states.get(UsagePlan.kind)
    quota: Any = plan.properties.get("daily quota") if plan else None
    return Api(STAGE, auth, setting.get("throttlingRateLimit"), setting.get("throttlingBurstLimit"), quota)
