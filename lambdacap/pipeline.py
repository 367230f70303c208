"""Deploy, plan, status, teardown: loops over `RESOURCES`.

A deployment is ensured, not computed: each resource is looked up, compared with what is wanted, and made or
mended in a fixed order. The record is saved after each, so that a run that dies leaves nothing unknown, and
the same command goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lambdacap import docker_engine, docker_image
from lambdacap.aws import TAG, translated
from lambdacap.deployment import Deployment, Records, follow
from lambdacap.errors import AwsError, DeploymentError, EngineError
from lambdacap.events import Finished, Report, Started, Warned
from lambdacap.local import cloud
from lambdacap.model import weights
from lambdacap.resources import RESOURCES, Change, Site, State
from lambdacap.resources.function import PROXY_VARIABLE
from lambdacap.settings import Settings
from lambdacap.sign_in import sign_in

TITLES = {
    "repository": "Amazon ECR repository",
    "image": "Docker image",
    "role": "IAM role",
    "log group": "CloudWatch log group",
    "function": "Lambda function",
    "api": "API Gateway REST API",
}
WARM_EVENT = {"warm": True}
"""What the handler answers without a picture: the model is loaded, the function works."""

States = dict[str, State | None]


@dataclass(frozen=True)
class Deployed:
    """What `deploy` did: the deployment, and what happened to each resource."""

    deployment: Deployment
    changes: list[Change]

    @property
    def changed(self) -> bool:
        return any(change.action != "keep" for change in self.changes)


@dataclass(frozen=True)
class Status:
    """What is there: the state of each resource by kind (None: missing), and what `deploy` would change."""

    deployment: Deployment
    states: Mapping[str, State | None]
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        return any(self.states.values())

    @property
    def complete(self) -> bool:
        return all(self.states.values())

    @property
    def runs_as(self) -> str | None:
        """What answers a call: "lambda", or on this machine a "container" or a "process"; None without function."""
        function = self.states.get("function")
        if function is None:
            return None
        if self.deployment.target != "local":
            return "lambda"
        environment = function.properties.get("environment")
        return "process" if isinstance(environment, Mapping) and PROXY_VARIABLE in environment else "container"


def deploy(settings: Settings, report: Report, only: tuple[str, ...] = ()) -> Deployed:
    """Ensure every resource in order, and warm the function when anything changed.

    `only` restricts it to some kinds; what those need must be there. Raises `DeploymentError` if it is not.
    """
    if not only:
        # A folder that cannot be built is told before anything is started or asked for.
        docker_image.context_files(settings.image)
    if not only or "image" in only:
        settings = weights.settle(settings, report)
    # The first step makes a deployment where the flags say; the later ones go on where it is.
    site, records = sign_in(settings, report, start=True, following=bool(only) and "image" not in only)
    settings = site.settings
    if settings.local and not settings.docker and "image" in (only or ("image",)):
        report(Warned("no Docker engine is used: the function runs as a process on this machine"))
    site, states = _find_all(site)
    site = replace(site, deployment=site.deployment.made_with(settings))
    _check_engine(site, states, only)
    changes = []
    for resource in RESOURCES:
        if only and resource.kind not in only:
            if resource.kind in _needed(only) and states[resource.kind] is None:
                raise DeploymentError(
                    f"the {TITLES[resource.kind]} of {settings.name!r} is not there yet",
                    hint=f"Run `lambdacap {_STEPS[resource.kind]}` first, or `lambdacap deploy` for all of it.",
                )
            continue
        report(Started(resource.kind, TITLES[resource.kind]))
        with translated(site.aws):
            state, change = resource.ensure(site, states[resource.kind])
        site = replace(site, deployment=site.deployment.having(resource.kind, state.identity))
        records.save(site.deployment)
        changes.append(change)
        report(Finished(resource.kind, _DONE[change.action], _summary(resource.kind, state, change)))
    deployed = Deployed(site.deployment, changes)
    if deployed.changed and (not only or "function" in only):
        _warm(site)
    return deployed


def plan(settings: Settings, report: Report) -> list[Change]:
    """What `deploy` would do to each resource, without doing it."""
    docker_image.context_files(settings.image)
    settings = weights.settle(settings, report, dry=True)
    if settings.local and not cloud.running(settings.home) and not Records(settings.home).all(target="local"):
        return [Change(resource.kind, "create", {}) for resource in RESOURCES]
    site, _ = sign_in(settings, report, start=settings.local)
    site, states = _find_all(site)
    return list(_changes(site, states).values())


def status(settings: Settings, report: Report) -> Status:
    """What is there, found by name and tag."""
    site, _ = sign_in(settings, report, following=True)
    site, states = _find_all(site)
    if not all(states.values()):
        return Status(site.deployment, states)
    # The folder may have gone on since the deploy, which is no fault of what is deployed.
    rest = [resource for resource in RESOURCES if resource.kind != "image"]
    return Status(site.deployment, states, {r.kind: r.change(site, states[r.kind]) for r in rest})


def teardown(settings: Settings, report: Report) -> Deployment:
    """Remove every resource in reverse, look again, and delete the record.

    Raises `DeploymentError` when there is nothing to remove, or when something is left.
    """
    site, records = sign_in(settings, report, following=True)
    recorded = records.path(site.deployment).exists()
    site, states = _find_all(site)
    if not any(states.values()) and not recorded:
        raise DeploymentError(
            f"nothing named {settings.name!r} is deployed in {site.aws.region} ({_place(site)})",
            hint="--name, --region, --profile and --local say which deployment is meant.",
        )
    for resource in reversed(RESOURCES):
        state = states[resource.kind]
        report(Started(resource.kind, TITLES[resource.kind]))
        if state is None:
            report(Finished(resource.kind, "absent"))
            continue
        with translated(site.aws):
            resource.remove(site, state)
        site = replace(site, deployment=site.deployment.without(resource.kind))
        records.save(site.deployment)
        report(Finished(resource.kind, "removed", _label(state)))
    _prove_empty(site, states)
    records.delete(site.deployment)
    if site.settings.local and not records.all(target="local"):
        cloud.discard(site.settings.home, report)
    if not records.all(settings.name):
        _discard_images(settings.name, report)
    return site.deployment


def locate(settings: Settings) -> Deployment:
    """The recorded deployment that the settings mean: what `invoke` needs, without asking AWS.

    Falls back on AWS by name and tag when there is no record. Raises `DeploymentError` when there is no API.
    """
    records = Records(settings.home)
    settings = follow(settings, records)
    fitting = [
        d
        for d in records.all(settings.name, "local" if settings.local else "aws")
        if settings.region in (None, d.region)
    ]
    deployment = fitting[0] if len(fitting) == 1 else status(settings, lambda _: None).deployment
    if deployment.url is None:
        unfinished = bool(deployment.resources)
        raise DeploymentError(
            f"the deployment {settings.name!r} is unfinished: it has no API yet"
            if unfinished
            else f"nothing named {settings.name!r} is deployed",
            hint=f"`lambdacap deploy{' --local' if settings.local or not unfinished else ''}` "
            + ("finishes it." if unfinished else "deploys to this machine, without --local to AWS."),
        )
    return deployment


_STEPS = {
    "repository": "push",
    "image": "push",
    "role": "create-function",
    "log group": "create-function",
    "function": "create-function",
    "api": "create-api",
}
"""Resource → the command whose step it is."""

_DONE = {"create": "created", "update": "updated", "keep": "kept"}


def _needed(only: tuple[str, ...]) -> set[str]:
    """The kinds that come before the first of `only`."""
    kinds = [resource.kind for resource in RESOURCES]
    return set(kinds[: min(kinds.index(kind) for kind in only)])


def _find_all(site: Site) -> tuple[Site, States]:
    """Look every resource up before anything is written: whose names they are is known by then."""
    states: States = {}
    for resource in RESOURCES:
        with translated(site.aws):
            state = states[resource.kind] = resource.find(site)
        deployment = site.deployment
        site = replace(
            site,
            deployment=deployment.having(resource.kind, state.identity) if state else deployment.without(resource.kind),
        )
    return site, states


def _check_engine(site: Site, states: States, only: tuple[str, ...]) -> None:
    """Raise `EngineError` before anything is made, when the image will need an engine and there is none."""
    image = next(resource for resource in RESOURCES if resource.kind == "image")
    containers = site.settings.docker or not site.settings.local
    if containers and image.kind in (only or (image.kind,)) and image.change(site, states[image.kind]).action != "keep":
        docker_engine.connect().close()


def _changes(site: Site, states: States) -> dict[str, Change]:
    changes = {}
    for resource in RESOURCES:
        change = changes[resource.kind] = resource.change(site, states[resource.kind])
        if resource.kind == "image" and change.action != "keep":
            # The digest is known after the push only; that the function changes is known now.
            uri = f"the new image {change.differences['tag'][1]}"
            site = replace(site, deployment=site.deployment.having("image", {"uri": uri}))
    return changes


def _warm(site: Site) -> None:
    """Invoke the function once, directly: the first caller meets a loaded model, and a broken image is seen now."""
    report, name = site.report, site.settings.name
    report(Started("warm", "first start of the function"))
    with translated(site.aws):
        answer = site.aws.lambda_.invoke(FunctionName=name, Payload=json.dumps(WARM_EVENT).encode())
        payload: Any = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        reason = payload.get("errorMessage", payload) if isinstance(payload, dict) else payload
        raise AwsError(
            f"the function {name} is deployed, but fails when it starts: {reason}",
            operation="lambda:Invoke",
            hint=f"Its log is /aws/lambda/{name}; correct the image and deploy again.",
        )
    report(Finished("warm", "ready", str(payload.get("model", "")) if isinstance(payload, dict) else ""))


def _prove_empty(site: Site, removed: States) -> None:
    """Look again, by name and by tag; raise `DeploymentError` with what is left."""
    _, states = _find_all(site)
    left = [f"{TITLES[kind]} {_label(state)}" for kind, state in states.items() if state]
    left += _tagged(site, removed)
    if left:
        raise DeploymentError(
            f"after the teardown of {site.settings.name!r} there is still: {', '.join(left)}",
            hint="Run `lambdacap teardown` again.",
        )
    site.report(Finished("teardown", "ready", f"nothing carries the tag {TAG}={site.settings.name} any more"))


def _tagged(site: Site, removed: States) -> list[str]:
    """ARNs in this region that carry our tag, without those of `removed`: AWS's index lags behind by minutes."""
    gone = {value for state in removed.values() if state for value in state.identity.values()}
    pages = site.aws.tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": TAG, "Values": [site.settings.name]}]
    )
    try:
        with translated(site.aws):
            arns = [entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"]]
    except AwsError as error:
        site.report(Warned(f"looked by name only, since the tags cannot be asked: {error.message}"))
        return []
    return [arn for arn in arns if arn not in gone and arn.rpartition("/")[2] not in gone]


def _discard_images(name: str, report: Report) -> None:
    """Give back the room that the images take on this machine, if there is an engine to ask."""
    try:
        engine = docker_engine.connect()
    except EngineError:
        return
    with contextlib.closing(engine):
        docker_image.discard(engine, name, report)


def _place(site: Site) -> str:
    return "the local cloud" if site.settings.local else f"account {site.aws.account}"


def _label(state: State) -> str:
    identity = state.identity
    return identity.get("url") or identity.get("uri") or identity.get("name") or identity.get("arn", "")


def _summary(kind: str, state: State, change: Change) -> str:
    if change.action == "update" and kind not in ("image", "api"):
        return ", ".join(f"{key}: {old} → {new}" for key, (old, new) in change.differences.items())
    return _label(state)
