"""The commands about who may call: `key`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.help import USE, shown
from lambdacap.cli.options import command
from lambdacap.settings import Settings

if TYPE_CHECKING:
    from lambdacap.operations.deploy import Deployed

Configure = Callable[..., Settings]

access = typer.Typer(rich_markup_mode=None)


@access.command(**shown(USE, "lambdacap key"))
@command
def key(configure: Configure, console: Console) -> None:
    """Print the API key that callers send as X-Api-Key, read from AWS."""
    from lambdacap.operations.access import api_key

    value = api_key(configure())
    console.result(value, {"key": value})


def tell(console: Console, settings: Settings, deployed: Deployed) -> None:
    """After a deploy: who may call now, and a key that was just made."""
    from lambdacap.events import Warned
    from lambdacap.model.bundle import is_bundle
    from lambdacap.model.weights import choice
    from lambdacap.operations.access import api_key
    from lambdacap.settings.places import is_project

    demo = (
        not is_project(settings.image)
        and is_bundle(settings.image / "demo" / "bundle")
        and not (settings.image / "model").is_dir()
    )
    if demo and choice(settings) is None:
        console.note("the demo model answers, which only knows painted scenes: `lambdacap demo FILE` paints one")
    auth = deployed.deployment.resources["api"]["auth"]
    if auth == "none" and settings.local:
        console.report(Warned("no key is asked for: on AWS the URL would be public"))
    elif auth == "none":
        console.report(
            Warned("the URL is public: whoever knows it can call it, at your cost; --auth key or --auth iam closes it")
        )
    elif auth == "iam":
        console.note("callers sign with AWS credentials that may execute-api:Invoke")
    elif any(change.kind == "usage plan" and change.action == "create" for change in deployed.changes):
        console.note(f"callers send this as X-Api-Key (`lambdacap key` shows it again): {api_key(settings)}")
