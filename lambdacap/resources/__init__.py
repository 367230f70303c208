"""What a deployment consists of, in the order in which it is made; taken down in reverse."""

from __future__ import annotations

from dataclasses import replace

from lambdacap.aws import translated
from lambdacap.resources.api import Api
from lambdacap.resources.function import Function
from lambdacap.resources.image import Image
from lambdacap.resources.log_group import LogGroup
from lambdacap.resources.repository import Repository
from lambdacap.resources.resource import Change, Resource, Site, State
from lambdacap.resources.role import Role

RESOURCES: tuple[Resource, ...] = (Repository(), Image(), Role(), LogGroup(), Function(), Api())

States = dict[str, State | None]
"""Resources by kind; None: not there."""


def find_all(site: Site) -> tuple[Site, States]:
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


__all__ = ["RESOURCES", "Change", "Resource", "Site", "State", "States", "find_all"]
