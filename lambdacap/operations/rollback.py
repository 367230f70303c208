"""Go back to a version that was live before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lambdacap.aws.clients import translated
from lambdacap.deployment.record import Deployment, Records
from lambdacap.errors import DeploymentError
from lambdacap.events import Finished, Report, Started
from lambdacap.operations.sign_in import sign_in
from lambdacap.resources import Site, State, find_all
from lambdacap.resources.api.rest_api import Api
from lambdacap.resources.function.function import ORIGIN_VARIABLE, PROXY_VARIABLE, Function
from lambdacap.resources.function.release import find_release, versions
from lambdacap.resources.image import identify
from lambdacap.settings import Settings


def rollback(settings: Settings, report: Report, version: str | None = None) -> Deployment:
    """Make `version`, or else the one that was live before, the live one; the record then says the same.

    Raises `DeploymentError` when there is no such version; then nothing has changed.
    """
    site, records = sign_in(settings, report, following=True)
    with records.locked(site.deployment):
        return _go_back(site, records, version)


def _go_back(site: Site, records: Records, version: str | None) -> Deployment:
    settings, report = site.settings, site.report
    site, states = find_all(site)
    state = states[Function.kind]
    with translated(site.aws):
        now = find_release(site) if state else None
        if state is None or now is None:
            raise DeploymentError(
                f"nothing of {settings.name!r} is live yet", hint="`lambdacap deploy` makes a first version."
            )
        there = versions(site)
        target = version or now.previous
        if target is None:
            raise DeploymentError(
                f"version {now.version} of {settings.name!r} is the only one: there is none to go back to",
                hint="The version before is kept from the next deploy on.",
            )
        if target not in there:
            raise DeploymentError(f"{settings.name!r} has no version {target}", hint=f"There are: {', '.join(there)}.")
        report(Started(Function.kind, f"going from version {now.version} to {target}"))
        if target == now.version:
            report(Finished(Function.kind, "kept", f"version {target} is live"))
            return site.deployment
        back = Function().go_back(site, state, target)
        was: Any = back.properties
        image = identify(site, was["image"])
    settings = replace(
        site.settings,
        **{key: was[key] for key in ("memory", "timeout", "storage", "architecture")},
        docker=PROXY_VARIABLE not in was["environment"],
        origin=was["environment"].get(ORIGIN_VARIABLE, "*"),
    )
    deployment = site.deployment.made_with(settings).having(Function.kind, back.identity)
    if image:
        deployment = deployment.having("image", image)
    records.save(deployment)
    _allow_its_origin(replace(site, settings=settings, deployment=deployment), states.get(Api.kind))
    report(Finished(Function.kind, "updated", f"version {target} is live"))
    return deployment


def _allow_its_origin(site: Site, api: State | None) -> None:
    """Let the gateway's own answers name the origin that the version does; the rest of the API stays as it is."""
    if api is None:
        return
    site = replace(site, settings=replace(site.settings, auth=api.identity["auth"]))
    with translated(site.aws):
        change = Api().change(site, api)
        named = {key: to for key, to in change.differences.items() if key == "errors" or key.startswith("OPTIONS ")}
        if named:
            Api().update(site, api, replace(change, differences=named))
