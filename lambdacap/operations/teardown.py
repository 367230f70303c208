"""Remove a deployment: every resource in reverse, again and again until a look by name and by tag finds nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lambdacap.aws.clients import TAG, translated
from lambdacap.deployment.record import Deployment, Records
from lambdacap.errors import (
    AwsError,
    CredentialsError,
    DeploymentError,
    EngineError,
    LambdacapError,
    NotOursError,
    SettingsError,
    StorageError,
)
from lambdacap.events import Finished, Report, Warned
from lambdacap.images import docker_engine, docker_stages
from lambdacap.local import cloud
from lambdacap.local.images import Images
from lambdacap.operations.missing import missing
from lambdacap.operations.sign_in import sign_in
from lambdacap.resources import RESOURCES, Resource, Site, States, remove
from lambdacap.resources.listed import listed
from lambdacap.settings import Settings

ROUNDS = 5
"""Looks at most: a log group comes back with a late call, and a name may have been given twice."""
PAUSE = 2.0
"""Seconds between them."""
_IMAGE = ("image", "repository")
_BY_NAME = "looked by name only, since the tags could not be asked"


@dataclass(frozen=True)
class Standing:
    """What a teardown is about to remove: `states` by kind, and why some could not even be looked at."""

    deployment: Deployment
    states: States
    failures: dict[str, LambdacapError]

    @property
    def labels(self) -> dict[str, str]:
        """What goes, by kind, in the order in which it goes."""
        return {r.kind: state.label for r in reversed(RESOURCES) if (state := self.states.get(r.kind))}


Agree = Callable[[Standing], None]
"""Raises what stops the teardown before anything is removed."""


def standing(settings: Settings, report: Report, *, keep_image: bool = False) -> Standing:
    """What `teardown` would remove. Raises `DeploymentError` when there is nothing."""
    site, records = sign_in(settings, report, following=True)
    return _look(site, records, _doomed(keep_image))


def teardown(
    settings: Settings, report: Report, *, keep_image: bool = False, agree: Agree = lambda _: None
) -> Standing:
    """Remove every resource in reverse, and return what there was; `keep_image` leaves the repository.

    One failure does not stop the others. Raises `DeploymentError` when there is nothing to remove, and when
    something is left in the end; the images of a build that was never deployed are removed all the same.
    """
    with _built_only(settings, report, keep_image=keep_image):
        site, records = sign_in(settings, report, following=True)
    try:
        with _locked(records, site.deployment, report):
            with _built_only(settings, report, keep_image=keep_image):
                found = _look(site, records, _doomed(keep_image))
            agree(found)
            _remove_all(replace(site, deployment=found.deployment), records, found, _doomed(keep_image))
    finally:
        # In which nothing is deployed, now or since a run that was cut short right here.
        if site.settings.local and not records.in_use("local") and _bare(site):
            cloud.discard(site.settings.home, report)
    if not keep_image and not records.all(settings.name):
        _discard_images(site.settings, report)
    return found


def _doomed(keep_image: bool) -> list[Resource]:
    """What goes, in the order in which it was made."""
    return [resource for resource in RESOURCES if not (keep_image and resource.kind in _IMAGE)]


def _look(site: Site, records: Records, doomed: list[Resource]) -> Standing:
    found = _find(site, doomed)
    if not any(found.states.values()) and not found.failures and not records.path(site.deployment).exists():
        raise missing(site.settings, f"is deployed in {site.aws.region} ({_place(site)})")
    return found


def _find(site: Site, resources: list[Resource]) -> Standing:
    """Look up what can be looked up; what belongs to somebody else stops all of it."""
    deployment, failures = site.deployment, dict[str, LambdacapError]()
    states: States = {}
    for resource in resources:
        try:
            with translated(site.aws):
                state = resource.find(replace(site, deployment=deployment))
        except (NotOursError, CredentialsError):
            raise
        except LambdacapError as error:
            failures[resource.kind] = error
            continue
        if state or resource.needed(site.settings):
            states[resource.kind] = state
        deployment = deployment.having(resource.kind, state.identity) if state else deployment.without(resource.kind)
    return Standing(deployment, states, failures)


def _remove_all(site: Site, records: Records, found: Standing, doomed: list[Resource]) -> None:
    """Rounds of removing and looking, until nothing is found or nothing more can be done."""
    for turn in range(1, ROUNDS + 1):
        failures = {**found.failures}
        for resource in reversed(doomed):
            state = found.states.get(resource.kind)
            if state is None:
                if turn == 1 and resource.kind in found.states:
                    site.report(Finished(resource.kind, "absent"))
                continue
            try:
                site = remove(site, resource, state)
            except CredentialsError:
                raise
            except LambdacapError as error:
                failures[resource.kind] = error
                site.report(Finished(resource.kind, "failed", error.message))
                continue
            _note(records, site)
        found = _find(site, doomed)
        left = [f"{r.title} {state.label}" for r in doomed if (state := found.states.get(r.kind))]
        tagged = None if left or len(doomed) < len(RESOURCES) else _tagged(site)
        if not left and not tagged and not found.failures:
            _conclude(site, records, doomed, by_tag=tagged is not None)
            return
        if failures and turn > 1:
            break
        site.sleep(PAUSE)
    raise _incomplete(site.name, left + (tagged or []), {**failures, **found.failures})


def _conclude(site: Site, records: Records, doomed: list[Resource], *, by_tag: bool) -> None:
    tag = f"{TAG}={site.name}"
    if len(doomed) == len(RESOURCES):
        if site.settings.local:
            # Without the record nobody knows that there were some.
            Images(site.settings.home).remove(site.name)
        try:
            records.delete(site.deployment)
        except StorageError as error:
            site.report(Warned(f"the record of what is gone stays: {error.message}"))
        words = f"nothing carries the tag {tag} any more: looked by name and by tag"
        site.report(
            Finished("teardown", "ready", words if by_tag else f"nothing named {site.name} is left: {_BY_NAME}")
        )
    else:
        _note(records, site)
        site.report(Finished("teardown", "ready", f"the repository is all that still carries the tag {tag}"))


@contextlib.contextmanager
def _locked(records: Records, deployment: Deployment, report: Report) -> Iterator[None]:
    """The deployment's lock where one can be had: what costs money goes from a full or read-only disk, too."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(records.locked(deployment))
        except StorageError as error:
            report(Warned(f"no other command is kept away meanwhile: {error.message}"))
        yield


def _note(records: Records, site: Site) -> None:
    """Save what is left. Where that cannot be, names and tags will tell."""
    with contextlib.suppress(StorageError):
        records.save(site.deployment)


def _incomplete(name: str, left: list[str], failures: dict[str, LambdacapError]) -> DeploymentError:
    lines = [f"of {name!r} there is still:" if left else f"{name!r} could not be removed whole:", *left]
    lines += [f"{kind}: {error.message}" for kind, error in failures.items()]
    hints = dict.fromkeys(error.hint for error in failures.values() if error.hint)
    return DeploymentError(
        "\n  ".join(lines), hint=" ".join([*hints, "Then run `lambdacap teardown` again: it takes what is left."])
    )


def _tagged(site: Site) -> list[str] | None:
    """What in this region carries our tag; None when the tags cannot be asked."""
    try:
        with translated(site.aws):
            return listed(site)
    except AwsError as error:
        site.report(Warned(f"the tags cannot be asked: {error.message}"))
        return None


def _bare(site: Site) -> bool:
    """Whether the account holds nothing that lambdacap made: records may have been lost."""
    with translated(site.aws):
        return not site.aws.tagging.get_resources(TagFilters=[{"Key": TAG}])["ResourceTagMappingList"]


@contextlib.contextmanager
def _built_only(settings: Settings, report: Report, *, keep_image: bool) -> Iterator[None]:
    """Where nothing is deployed, or nobody is signed in to see: `lambdacap build` may have been here, and no more."""
    try:
        yield
    except (CredentialsError, DeploymentError, SettingsError):
        known = Records(settings.home).all(settings.name)
        if not keep_image and not known and _discard_images(settings, report):
            report(Finished("image", "removed", f"what was built for {settings.name} in the engine"))
        raise


def _discard_images(settings: Settings, report: Report) -> bool:
    """Give back the room that the images take on this machine; whether there is an engine, and there were any."""
    try:
        engine = docker_engine.connect()
    except EngineError:
        return False
    try:
        with contextlib.closing(engine), docker_engine.asking("images of it may be left in the engine"):
            return docker_stages.discard(engine, settings.name, report, settings.image)
    except EngineError as error:  # all else is gone
        report(Warned(error.message))
        return False


def _place(site: Site) -> str:
    return "the local cloud" if site.settings.local else f"account {site.aws.account}"
