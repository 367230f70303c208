"""Deploy and plan: loops over `RESOURCES`.

A deployment is ensured, not computed: each resource is looked up, compared with what is wanted, and made or
mended in a fixed order. The record is saved after each, so that a run that dies leaves nothing unknown, and
the same command goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from lambdacap.aws.clients import translated
from lambdacap.deployment.record import Deployment, Records
from lambdacap.errors import DeploymentError, SettingsError
from lambdacap.events import Finished, Progress, Report, Started, Warned
from lambdacap.images import docker_context, docker_engine
from lambdacap.local import cloud
from lambdacap.model import weights
from lambdacap.operations import prerequisites
from lambdacap.operations.sign_in import sign_in
from lambdacap.projects import readiness
from lambdacap.resources import RESOURCES, Change, Resource, Site, State, States, find_all, remove
from lambdacap.resources.image import Image
from lambdacap.settings import Settings
from lambdacap.settings.places import is_project


@dataclass(frozen=True)
class Deployed:
    """What `deploy` did: the deployment, and what happened to each resource."""

    deployment: Deployment
    changes: list[Change]

    @property
    def changed(self) -> bool:
        return any(change.action != "keep" for change in self.changes)


@dataclass(frozen=True)
class Survey:
    """What there is, and what a deploy would do; `site` is None when no local cloud runs that could be asked."""

    settings: Settings
    changes: list[Change]
    site: Site | None = None
    states: States = field(default_factory=dict)


def deploy(settings: Settings, report: Report, only: tuple[str, ...] = ()) -> Deployed:
    """Ensure every resource in order.

    `only` restricts it to some kinds; what those need must be there. Raises `DeploymentError` if it is not.
    """
    if not only:
        # A folder that cannot be built is told before anything is started or asked for.
        docker_context.context_files(settings.image)
    if _unmade(settings):
        _check_quota(settings)
    if not only or "image" in only:
        prerequisites.check(settings)
        settings = weights.settle(settings, report)
        readiness.prepare(settings, report)
        docker_context.warn_left_out(settings.image, settings.bundle, report)
    new = settings.local and not cloud.known(settings.home)
    try:
        # The first step makes a deployment where the flags say; the later ones go on where it is.
        site, records = sign_in(settings, report, start=True, following=bool(only) and "image" not in only)
        settings = site.settings
        if "image" in (only or ("image",)):
            _tell_of_another_folder(site)
        if settings.local and not settings.docker and "image" in (only or ("image",)):
            report(Warned("no Docker engine is used: the function runs as a process on this machine"))
        with records.locked(site.deployment):
            return _ensure_all(site, records, only)
    except BaseException:
        # Nobody would know of a cloud that was made for nothing.
        if new and not Records(settings.home).in_use("local"):
            cloud.discard(settings.home, report)
        raise


def plan(settings: Settings, report: Report) -> list[Change]:
    """What `deploy` would do to each resource, without doing it."""
    return survey(settings, report).changes


def survey(settings: Settings, report: Report) -> Survey:
    """Look at what is there, and what `deploy` would do. Calls nothing that writes."""
    docker_context.context_files(settings.image)
    settings = weights.settle(settings, report, dry=True)
    readiness.prepare(settings, report, dry=True)
    docker_context.warn_left_out(settings.image, settings.bundle, report)
    if _unmade(settings):
        _check_quota(settings)
        needed = [resource for resource in RESOURCES if resource.needed(settings)]
        return Survey(settings, [Change(resource.kind, "create", {}) for resource in needed])
    site, _ = sign_in(settings, report, start=settings.local)
    recorded = site.deployment.resources
    site, states = find_all(site)
    if recorded != site.deployment.resources:
        report(Warned("the record does not say what is there: a deploy writes it anew"))
    site = _as_closed(site, states)
    return Survey(site.settings, list(_changes(site, states).values()), site, states)


def _tell_of_another_folder(site: Site) -> None:
    """Say it when this name was another project's, or the captioner's: the folder that one is in decides."""
    before, now = site.deployment.settings.get("image"), site.settings.image
    if before and str(now) != before and (is_project(now) or is_project(Path(str(before)))):
        site.report(Warned(f"{site.name!r} was made of {before} until now; with another --name both would live"))


def _ensure_all(site: Site, records: Records, only: tuple[str, ...]) -> Deployed:
    settings, report = site.settings, site.report
    site, states = find_all(site)
    site = _as_closed(site, states)
    site = replace(site, deployment=site.deployment.made_with(site.settings))
    _check_engine(site, states, only)
    changes: list[Change] = []
    doubtful: list[Resource] = []
    for resource in RESOURCES:
        if only and resource.kind not in only:
            if resource.kind in _before(only) and states.get(resource.kind, ...) is None:
                raise DeploymentError(
                    f"the {resource.title} of {settings.name!r} is not there yet",
                    hint=f"Run `lambdacap {resource.step}` first, or `lambdacap deploy` for all of it.",
                )
            continue
        present = _left(resource, states.get(resource.kind), changes)
        if not resource.needed(site.settings):
            if present:
                site = remove(site, resource, present)
                records.save(site.deployment)
                changes.append(Change(resource.kind, "remove", {}))
            continue
        report(Started(resource.kind, resource.title))
        site.aws.repeated.clear()
        with translated(site.aws):
            state, change = resource.ensure(site, present)
        doubtful += [resource] if site.aws.repeated else []
        site = replace(site, deployment=site.deployment.having(resource.kind, state.identity))
        records.save(site.deployment)
        changes.append(change)
        report(Finished(resource.kind, _DONE[change.action], _summary(resource.kind, state, change)))
    return Deployed(_without_spares(site, records, doubtful), changes)


def _left(resource: Resource, present: State | None, changes: Iterable[Change]) -> State | None:
    """What is left of what was seen of a resource, after those changes of others."""
    anew = {change.kind for change in changes if change.action == "create"}
    return resource.left(present, anew) if present else None


def _without_spares(site: Site, records: Records, doubtful: list[Resource]) -> Deployment:
    """Look once more at what was asked for twice, and mend it: AWS may have carried out the first call, too late."""
    for resource in doubtful:
        with translated(site.aws):
            state = resource.find(site)
            if state and resource.change(site, state).action == "update":
                site.report(Progress(resource.kind, "putting right what a late answer has left"))
                state, _ = resource.ensure(site, state)
        if state:
            site = replace(site, deployment=site.deployment.having(resource.kind, state.identity))
            records.save(site.deployment)
    return site.deployment


_DONE = {"create": "created", "update": "updated", "keep": "kept"}


def _before(only: tuple[str, ...]) -> set[str]:
    """The kinds that come before the first of `only`."""
    kinds = [resource.kind for resource in RESOURCES]
    return set(kinds[: min(kinds.index(kind) for kind in only)])


def _as_closed(site: Site, states: States) -> Site:
    """The site with `auth` as it was unless the user said otherwise: no API is opened by forgetting a flag.

    Without a record it is as the API has it. Raises `SettingsError` for a quota that nothing could count.
    """
    settings, api = site.settings, states.get("api")
    if api and "auth" not in settings.given:
        recorded = site.deployment.settings.get("auth")
        settings = replace(settings, auth=str(recorded or api.identity["auth"]))
    _check_quota(settings)
    return replace(site, settings=settings)


def _check_quota(settings: Settings) -> None:
    """Raise `SettingsError` for a quota that nothing could count."""
    if settings.quota and settings.auth != "key":
        raise SettingsError(
            f"quota = {settings.quota}, but with auth = {settings.auth} there is no key to count requests by",
            hint="Add --auth key, or leave --quota out.",
        )


def _unmade(settings: Settings) -> bool:
    """Whether the local cloud is meant and is neither running nor in use: so nothing is deployed there."""
    return settings.local and not cloud.running(settings.home) and not Records(settings.home).in_use("local")


def _check_engine(site: Site, states: States, only: tuple[str, ...]) -> None:
    """Raise `EngineError` before anything is made, when the image will need an engine and there is none."""
    image = Image()
    with translated(site.aws):
        needed = image.kind in (only or (image.kind,)) and image.must_build(site, states[image.kind])
    if needed:
        docker_engine.connect().close()


def _changes(site: Site, states: States) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for resource in RESOURCES:
        state = _left(resource, states.get(resource.kind), changes.values())
        if state is None and not resource.needed(site.settings):
            continue
        change = changes[resource.kind] = resource.change(site, state)
        if resource.kind == "image" and change.action != "keep":
            # The digest is known after the push only; that the function changes is known now.
            uri = f"the new image {change.differences['tag'][1]}"
            site = replace(site, deployment=site.deployment.having("image", {"uri": uri}))
    return changes


def _summary(kind: str, state: State, change: Change) -> str:
    version = f"; version {state.identity['version']} is live" if "version" in state.identity else ""
    if change.action == "update" and kind not in ("image", "api"):
        return ", ".join(f"{key}: {old} → {new}" for key, (old, new) in change.differences.items()) + version
    return state.label + (version if change.action == "create" else "")
