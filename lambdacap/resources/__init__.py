"""What a deployment consists of, in the order in which it is made; taken down in reverse."""

from __future__ import annotations

from dataclasses import replace

from lambdacap.aws.clients import translated
from lambdacap.deployment.record import remembered
from lambdacap.events import Finished, Started
from lambdacap.resources.api.rest_api import Api
from lambdacap.resources.api.usage_plan import UsagePlan
from lambdacap.resources.function.concurrency import Concurrency
from lambdacap.resources.function.function import Function
from lambdacap.resources.image import Image
from lambdacap.resources.log_group import LogGroup
from lambdacap.resources.repository import Repository
from lambdacap.resources.resource import Change, Resource, Site, State
from lambdacap.resources.role import Role
from lambdacap.resources.watch.alarm import Alarm
from lambdacap.resources.watch.budget import Budget

RESOURCES: tuple[Resource, ...] = (
    Repository(),
    Image(),
    Role(),
    LogGroup(),
    Function(),
    Concurrency(),
    Api(),
    UsagePlan(),
    Alarm(),
    Budget(),
)

States = dict[str, State | None]
"""Resources by kind; None: not there, but needed. What an account may decline is there or not mentioned."""


def find_all(site: Site) -> tuple[Site, States]:
    """Look every resource up before anything is written: whose names they are is known by then.

    All but those that are not wanted and, by the record, never were: a call for each of them in every run is
    much. A record knows what is wanted before the first of it is made; without one all are looked for.
    """
    states: States = {}
    for resource in RESOURCES:
        if _never_wanted(resource, site):
            continue
        with translated(site.aws):
            state = resource.find(site)
        if state or (resource.needed(site.settings) and not resource.declinable):
            states[resource.kind] = state
        deployment = site.deployment
        site = replace(
            site,
            deployment=deployment.having(resource.kind, state.identity) if state else deployment.without(resource.kind),
        )
    return site, states


def _never_wanted(resource: Resource, site: Site) -> bool:
    deployment = site.deployment
    if not deployment.settings or resource.kind in deployment.resources:
        return False
    recorded = remembered(replace(site.settings, given={}), deployment)
    return not (resource.needed(site.settings) or resource.needed(recorded))


def remove(site: Site, resource: Resource, state: State) -> Site:
    """Remove one resource, and say so; the site without it."""
    site.report(Started(resource.kind, f"removing the {resource.title}"))
    with translated(site.aws):
        resource.remove(site, state)
    site.report(Finished(resource.kind, "removed", state.label))
    return replace(site, deployment=site.deployment.without(resource.kind))


__all__ = ["RESOURCES", "Change", "Resource", "Site", "State", "States", "find_all", "remove"]
