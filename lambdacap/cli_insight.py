"""`lambdacap status | logs`: what is there, and what it does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Annotated

import typer

from lambdacap.console import Console
from lambdacap.options import command
from lambdacap.settings import Settings

Configure = Callable[..., Settings]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration(text: str) -> float:
    """Seconds of `30s`, `10m`, `2h`, `1d` or `1w`; what Typer calls for such an option."""
    match = re.fullmatch(r"(\d+)([smhdw])", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is no duration: one looks like 30s, 10m, 2h, 1d or 1w")
    return int(match[1]) * _SECONDS[match[2]]


@command
def status(configure: Configure, console: Console) -> None:
    """Show what is deployed and whether it is as it should be."""
    from lambdacap import views, views_health
    from lambdacap.errors import DeploymentError
    from lambdacap.health import examine
    from lambdacap.status import look

    site, there = look(configure(), console.report)
    deployment = there.deployment
    if not there.exists:
        raise DeploymentError(
            f"nothing named {deployment.name!r} is deployed in {deployment.region} ({deployment.target})",
            hint="`lambdacap deploy` deploys it; with --local, on this machine.",
        )
    health = examine(site, there)
    console.result(
        views.status_table(there, views_health.details(health)),
        {**views.status_data(there), **views_health.data(health, complete=there.complete)},
    )
    if not there.complete:
        raise DeploymentError(
            f"the deployment {deployment.name!r} is unfinished", hint="`lambdacap deploy` finishes it."
        )
    if health.complaints:
        raise DeploymentError(
            f"{deployment.name!r} is unwell: {'; '.join(health.complaints)}",
            hint="`lambdacap logs --errors --since 1d` says more.",
        )


@command
def logs(
    configure: Configure,
    console: Console,
    since: Annotated[
        float, typer.Option(parser=duration, help="How far back: 30s, 10m, 2h, 1d, 1w.", metavar="TIME")
    ] = "1h",  # type: ignore[assignment]
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Only what failed.")] = False,
) -> None:
    """Show the function's log: a line a request, and what else was printed."""
    from lambdacap import logs as log
    from lambdacap.sign_in import sign_in
    from lambdacap.views_logs import entry_line

    site, _ = sign_in(configure(), console.report, following=True)
    start = int((time.time() - since) * 1000)
    found = log.follow(site.aws, site.name, start) if follow else [log.read(site.aws, site.name, start)]
    try:
        for entries in found:
            for entry in entries:
                if entry.bad or not errors:
                    console.line(entry_line(entry), entry.data, markup=True)
    except KeyboardInterrupt:
        if not follow:
            raise
        # How following ends.
