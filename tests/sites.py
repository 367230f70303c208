"""Resources one by one, as the pipeline goes through them."""

from __future__ import annotations

import json
from dataclasses import replace

from lambdacap.aws.clients import found
from lambdacap.resources import RESOURCES, Resource, Site, State
from lambdacap.resources.role import TRUST


def having(site: Site, resource: Resource, state: State) -> Site:
    """The site after `resource` was made."""
    return replace(site, deployment=site.deployment.having(resource.kind, state.identity))


def ensured(site: Site, until: Resource | None = None) -> Site:
    """The site with every resource before `until` made; without `until`, with all."""
    for resource in RESOURCES:
        if resource is until:
            break
        if not resource.needed(site.settings):
            continue
        state, _ = resource.ensure(site, resource.find(site))
        site = having(site, resource, state)
    return site


def removed(site: Site) -> None:
    """Removes all that there is."""
    for resource in reversed(RESOURCES):
        state = resource.find(site)
        if state:
            resource.remove(site, state)


def a_role_of_others(site: Site) -> str:
    """The ARN of a role that is not lambdacap's, made once: a function needs one that exists."""
    iam = site.aws.iam
    trust = json.dumps(TRUST)
    role = found(lambda: iam.get_role(RoleName="other"), "NoSuchEntity")
    return (role or iam.create_role(RoleName="other", AssumeRolePolicyDocument=trust))["Role"]["Arn"]
