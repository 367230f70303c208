"""`lambdacap status | logs | bench`: what is there, what it does, and how fast."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.options import command
from lambdacap.settings import Settings

Configure = Callable[..., Settings]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration(text: str) -> float:
    """Seconds of `30s`, `10m`, `2h`, `1d` or `1w`; what Typer calls for such an option."""
    match = re.fullmatch(r"(\d+)([smhdw])", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is no duration: one looks like 30s, 10m, 2h, 1d or 1w")
    return int(match[1]) * _SECONDS[match[2]]


def sizes(text: str) -> tuple[int, ...]:
    """Memory sizes of `1024,1769,3008`, in MB."""
    found = tuple(int(part) for part in text.split(",") if part.strip().isdigit())
    if len(found) != text.count(",") + 1 or not all(128 <= size <= 10_240 for size in found) or len(found) > 10:
        raise typer.BadParameter(f"{text!r} are no sizes: up to ten of 128 to 10240 MB, as in 1024,1769,3008")
    return tuple(dict.fromkeys(found))


def seconds(text: str) -> float:
    """A duration that a measurement may take."""
    found = duration(text)
    if not 1 <= found <= 600:
        raise typer.BadParameter("1s to 10m are measured")
    return found


@command
def status(configure: Configure, console: Console) -> None:
    """Show what is deployed and whether it is as it should be."""
    from lambdacap.cli.views import health as views_health
    from lambdacap.cli.views import tables
    from lambdacap.errors import DeploymentError
    from lambdacap.insight.health import examine
    from lambdacap.operations.missing import missing
    from lambdacap.operations.status import look, unfinished

    site, there = look(configure(), console.report)
    deployment = there.deployment
    if not there.exists:
        raise missing(site.settings, f"is deployed in {deployment.region} ({deployment.target})")
    health = examine(site, there)
    console.result(
        tables.status_table(there, views_health.details(health)),
        {**tables.status_data(there), **views_health.data(health, complete=there.complete)},
    )
    if not there.complete:
        raise unfinished(deployment)
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
    last: Annotated[
        int | None, typer.Option("--last", "-n", help="Only so many of the last entries.", metavar="N", min=0)
    ] = None,
) -> None:
    """Show the function's log: a line a request, and what else was printed."""
    from lambdacap.cli.views.logs import entry_line
    from lambdacap.insight import logs as log
    from lambdacap.operations.sign_in import sign_in

    site, _ = sign_in(configure(), console.report, following=True)
    start = int((time.time() - since) * 1000)
    found = log.follow(site.aws, site.name, start) if follow else [log.read(site.aws, site.name, start)]
    try:
        for entries in found:
            shown = [entry for entry in entries if entry.bad or not errors]
            for entry in shown if last is None else shown[max(0, len(shown) - last) :]:
                console.line(entry_line(entry), entry.data, markup=True)
            last = None  # of what there was, not of what comes
    except KeyboardInterrupt:
        if not follow:
            raise
        # How following ends.


@command
def bench(
    configure: Configure,
    console: Console,
    photo: Annotated[
        Path | None, typer.Argument(help="Photo to send. [default: a painted one]", metavar="PHOTO")
    ] = None,
    cold: Annotated[
        int, typer.Option(help="Cold starts to force for each memory size.", metavar="N", min=0, max=20)
    ] = 3,
    concurrency: Annotated[
        int, typer.Option(help="Callers at a time for the warm calls.", metavar="N", min=1, max=100)
    ] = 1,
    duration: Annotated[
        float, typer.Option(parser=seconds, help="How long to call: 10s, 2m; 10m at most.", metavar="TIME")
    ] = "10s",  # type: ignore[assignment]
    memory: Annotated[
        str | None, typer.Option(help="Sizes in MB to compare, as in 1024,1769,3008.", metavar="MB,MB")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it into this .svg file.", metavar="FILE")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, though it costs.")] = False,
) -> None:
    """Measure cold starts and warm calls by phase, and compare memory sizes."""
    from lambdacap.aws.prices import prices as look_up
    from lambdacap.cli.views import bench as views_bench
    from lambdacap.client.http import Client
    from lambdacap.client.photo import prepare
    from lambdacap.deployment.record import Records
    from lambdacap.insight import bench as measuring
    from lambdacap.insight import bench_plot
    from lambdacap.operations.access import pass_for
    from lambdacap.operations.missing import missing
    from lambdacap.operations.status import look, unfinished

    compared = sizes(memory) if memory is not None else ()
    if plot:
        bench_plot.check(plot)
    sent = prepare(photo) if photo else measuring.picture()
    settings = configure()
    site, there = look(settings, console.report)
    function, url = there.states["function"], there.deployment.url
    if function is None or url is None:
        raise unfinished(there.deployment) if there.exists else missing(site.settings)
    live = int(str(function.properties["memory"]))
    plan = measuring.Plan(sent, cold, duration, concurrency, compared)
    prices = look_up(site.aws, str(function.properties["architecture"]))
    local = there.deployment.target == "local"
    if not local:
        _agree(console, plan.ceiling(live, prices), yes=yes)
    auth = pass_for(settings, there.deployment)
    with Records(settings.home).locked(there.deployment):
        samples = list(measuring.measure(site, plan, live, lambda: Client(url, auth=auth)))
    # Where memory buys no CPU, sizes differ by chance.
    best = None if local else measuring.choose(samples, prices)
    for note in views_bench.notes(samples, best, local=local):
        console.note(note)
    if plot:
        where = "this machine" if local else f"AWS Lambda, {there.deployment.region}"
        bench_plot.write(plot, f"{site.name} on {where}", samples, prices, best)
        console.note(f"{plot} shows it")
    console.result(views_bench.table(samples, prices, best), views_bench.data(samples, prices, best))


def _agree(console: Console, dollars: float, *, yes: bool) -> None:
    from lambdacap.errors import SettingsError

    console.note(f"this costs at most about ${dollars:.4f} on AWS")
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("nobody is there to agree to what it costs", hint="--yes agrees.")
    typer.confirm("Measure?", abort=True, err=True)
