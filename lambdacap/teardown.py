"""Remove a deployment: every resource in reverse, then a second look that proves it."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from lambdacap import docker_engine, docker_image
from lambdacap.aws import TAG, translated
from lambdacap.deployment import Deployment
from lambdacap.errors import AwsError, DeploymentError, EngineError
from lambdacap.events import Finished, Report, Started, Warned
from lambdacap.local import cloud
from lambdacap.resources import RESOURCES, Site, States, find_all
from lambdacap.settings import Settings
from lambdacap.sign_in import sign_in


def teardown(settings: Settings, report: Report) -> Deployment:
    """Remove every resource in reverse, look again, and delete the record.

    Raises `DeploymentError` when there is nothing to remove, or when something is left.
    """
    site, records = sign_in(settings, report, following=True)
    recorded = records.path(site.deployment).exists()
    site, states = find_all(site)
    if not any(states.values()) and not recorded:
        raise DeploymentError(
            f"nothing named {settings.name!r} is deployed in {site.aws.region} ({_place(site)})",
            hint="--name, --region, --profile and --local say which deployment is meant.",
        )
    for resource in reversed(RESOURCES):
        state = states[resource.kind]
        report(Started(resource.kind, resource.title))
        if state is None:
            report(Finished(resource.kind, "absent"))
            continue
        with translated(site.aws):
            resource.remove(site, state)
        site = replace(site, deployment=site.deployment.without(resource.kind))
        records.save(site.deployment)
        report(Finished(resource.kind, "removed", state.label))
    _prove_empty(site, states)
    records.delete(site.deployment)
    if site.settings.local and not records.all(target="local"):
        cloud.discard(site.settings.home, report)
    if not records.all(settings.name):
        _discard_images(settings.name, report)
    return site.deployment


def _prove_empty(site: Site, removed: States) -> None:
    """Look again, by name and by tag; raise `DeploymentError` with what is left."""
    _, states = find_all(site)
    left = [f"{r.title} {state.label}" for r in RESOURCES if (state := states[r.kind])]
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
