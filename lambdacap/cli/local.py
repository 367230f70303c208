"""`lambdacap local`: the local cloud by hand."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Annotated

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.help import MORE, Group, shown
from lambdacap.cli.options import bare_command
from lambdacap.settings import Settings

Configure = Callable[..., Settings]

local = typer.Typer(help="The local cloud, by hand.", cls=Group, no_args_is_help=True, rich_markup_mode=None)


@local.command("start", **shown(MORE, "lambdacap local start"))
@bare_command
def local_start(
    configure: Configure,
    console: Console,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1. [default: a free one]", metavar="PORT", min=1, max=65535)
    ] = None,
) -> None:
    """Start the local cloud; it goes on after this command."""
    from lambdacap.local import cloud

    started = cloud.start(configure().home, console.report, port)
    console.result(started.endpoint, {"endpoint": started.endpoint, "pid": started.pid})


@local.command("stop", **shown(MORE, "lambdacap local stop"))
@bare_command
def local_stop(configure: Configure, console: Console) -> None:
    """Stop the local cloud; what is deployed there comes back with the next start."""
    from lambdacap.local import cloud

    stopped = cloud.stop(configure().home, console.report)
    console.result("stopped" if stopped else "it was not running", {"stopped": stopped})


@local.command("status", **shown(MORE, "lambdacap local status"))
@bare_command
def local_status(configure: Configure, console: Console) -> None:
    """Say whether the local cloud runs, and what is deployed there."""
    from lambdacap.deployment.record import Records
    from lambdacap.local import cloud

    home = configure().home
    found = cloud.running(home)
    names = [d.name for d in Records(home).all(target="local")]
    words = f"running at {found.endpoint} (process {found.pid})" if found else "not running"
    deployments = f"; deployed: {', '.join(names)}" if names else "; nothing is deployed"
    console.result(
        words + deployments,
        {"running": bool(found), "endpoint": found.endpoint if found else None, "deployments": names},
    )


@local.command("env", **shown(MORE, "lambdacap local env"))
@bare_command
def local_env(configure: Configure, console: Console) -> None:
    """Print what lets the aws command and boto3 use the local cloud: eval "$(lambdacap local env)"."""
    from lambdacap.errors import LocalCloudError
    from lambdacap.local import cloud

    found = cloud.running(configure().home)
    if found is None:
        raise LocalCloudError("the local cloud does not run", hint="`lambdacap local start` starts it.")
    variables = cloud.variables(found)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    # Of the user's own these would go before the keys, or along with them.
    lines.append("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE")
    console.note(
        "Docker signs in by: aws ecr get-login-password | docker login --username AWS --password-stdin "
        f"127.0.0.1:{found.port}"
    )
    console.result("\n".join(lines), variables)
