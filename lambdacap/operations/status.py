"""What is deployed: every resource by name and tag, and where the API answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lambdacap.aws.clients import translated
from lambdacap.deployment.record import Deployment, Records, follow
from lambdacap.errors import DeploymentError, LocalCloudError
from lambdacap.events import Report, silent
from lambdacap.local import cloud
from lambdacap.operations.missing import missing
from lambdacap.operations.sign_in import sign_in
from lambdacap.resources import RESOURCES, Change, Site, State, find_all
from lambdacap.resources.function.function import PROXY_VARIABLE, Function
from lambdacap.resources.function.release import Release, find_release
from lambdacap.settings import Settings


@dataclass(frozen=True)
class Status:
    """What is there: the state of each resource by kind (None: missing), and what `deploy` would change.

    `release` says which version of the function answers.
    """

    deployment: Deployment
    states: Mapping[str, State | None]
    changes: Mapping[str, Change] = field(default_factory=dict)
    release: Release | None = None

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


def status(settings: Settings, report: Report) -> Status:
    """What is there, found by name and tag."""
    return look(settings, report)[1]


def look(settings: Settings, report: Report) -> tuple[Site, Status]:
    """The status, and the place that it is of: for those who want to see more of it."""
    site, _ = sign_in(settings, report, following=True)
    site, states = find_all(site)
    with translated(site.aws):
        release = find_release(site) if states[Function.kind] else None
    if not all(states.values()):
        return site, Status(site.deployment, states, release=release)
    # The folder may have gone on since the deploy, which is no fault of what is deployed.
    rest = [resource for resource in RESOURCES if resource.kind in states and resource.kind != "image"]
    return site, Status(site.deployment, states, {r.kind: r.change(site, states[r.kind]) for r in rest}, release)


def unfinished(deployment: Deployment) -> DeploymentError:
    """That a deploy was cut short: what every command says of it."""
    return DeploymentError(
        f"the deployment {deployment.name!r} is unfinished", hint="`lambdacap deploy` goes on where it was."
    )


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
    deployment = fitting[0] if len(fitting) == 1 else status(settings, silent).deployment
    if deployment.url is None:
        if not deployment.resources:
            raise missing(settings)
        raise unfinished(deployment)
    if deployment.target == "local" and cloud.known(settings.home) and cloud.running(settings.home) is None:
        # At its address may be a program of somebody else's, who would get the photo and the key.
        raise LocalCloudError(
            f"the local cloud does not answer at {deployment.url}",
            hint="`lambdacap local start` starts it, with what was deployed there.",
        )
    return deployment
