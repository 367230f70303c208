"""The options that every command takes, declared once."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from lambdacap.cli.complaint import UNHEARD
from lambdacap.cli.console import Console
from lambdacap.cli.invocation import completed, typed
from lambdacap.errors import LambdacapError, StorageError
from lambdacap.events import Warned
from lambdacap.settings import Settings, from_file, load, strangers

P = ParamSpec("P")

Name = Annotated[str | None, typer.Option(help="Which deployment. [default: lambdacap]", metavar="NAME")]
Region = Annotated[str | None, typer.Option(help="AWS region, for example eu-central-1.", metavar="REGION")]
Profile = Annotated[str | None, typer.Option(help="AWS profile to sign in with.", metavar="PROFILE")]
Local = Annotated[bool | None, typer.Option("--local", help="The local cloud on this machine instead of AWS.")]
Json = Annotated[bool, typer.Option("--json", help="The result as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and everything that tools print.")]

Image = Annotated[Path | None, typer.Option(help="Folder with Dockerfile and handler.py.", metavar="DIR")]
BaseImage = Annotated[
    str | None,
    typer.Option(
        help="What the image builds on. [default: the Dockerfile's: AWS's Python for Lambda]", metavar="IMAGE"
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="The model: published, demo, a model.pickle, a bundle or an address. [default: published; locally demo]",
        metavar="WEIGHTS",
    ),
]
Architecture = Annotated[str | None, typer.Option("--arch", help="x86_64 or arm64. [default: x86_64]", metavar="ARCH")]
Memory = Annotated[int | None, typer.Option(help="MB of memory; CPU comes with it. [default: 3008]", metavar="MB")]
Timeout = Annotated[int | None, typer.Option(help="Seconds an invocation may take. [default: 60]", metavar="S")]
Retention = Annotated[
    int | None, typer.Option("--log-retention", help="Days that logs are kept. [default: 14]", metavar="DAYS")
]
Docker = Annotated[
    bool | None,
    typer.Option("--docker/--no-docker", help="Local cloud: run the image in an engine if there is one."),
]
Auth = Annotated[
    str | None, typer.Option(help="Who may call: none (anybody), key or iam. [default: none]", metavar="AUTH")
]
Quota = Annotated[int | None, typer.Option(help="Requests a day that the API key is good for.", metavar="N")]
Rate = Annotated[
    int | None, typer.Option(help="Requests a second that all callers together may send. [default: 20]", metavar="N")
]
Burst = Annotated[int | None, typer.Option(help="Requests that may come at once. [default: 40]", metavar="N")]
ReservedConcurrency = Annotated[
    int | None, typer.Option(help="Executions at a time, kept free for the function and its limit.", metavar="N")
]
Origin = Annotated[
    str | None, typer.Option(help="Whose web pages may call the API. [default: *, all]", metavar="ORIGIN")
]
AlarmEmail = Annotated[
    str | None, typer.Option(help="Whom AWS writes to when an hour has too many calls.", metavar="ADDRESS")
]
AlarmCalls = Annotated[
    int | None, typer.Option(help="How many calls an hour are no alarm yet. [default: 1000]", metavar="N")
]
Budget = Annotated[
    int | None, typer.Option(help="US dollars a month; the same address is told of more.", metavar="USD")
]
Boundary = Annotated[
    str | None, typer.Option(help="The managed policy that bounds what the function's role may.", metavar="ARN")
]

_BARE: dict[str, Any] = {"json_output": Json, "debug": Debug}
_COMMON: dict[str, Any] = {"name": Name, "region": Region, "profile": Profile, "local": Local, **_BARE}
_DEPLOY: dict[str, Any] = {
    "image": Image,
    "base_image": BaseImage,
    "weights": Weights,
    "architecture": Architecture,
    "memory": Memory,
    "timeout": Timeout,
    "log_retention": Retention,
    "docker": Docker,
    "auth": Auth,
    "quota": Quota,
    "rate": Rate,
    "burst": Burst,
    "reserved_concurrency": ReservedConcurrency,
    "origin": Origin,
    "alarm_email": AlarmEmail,
    "alarm_calls": AlarmCalls,
    "budget": Budget,
    "boundary": Boundary,
}
"""What a deploy can be told: for the commands that deploy, or that speak of it beforehand."""

Body = Callable[Concatenate[Callable[..., Settings], Console, P], None]


def command(body: Body[P]) -> Callable[P, None]:
    """A Typer command from `body(settings, console, …)`, with the common options added to its own.

    `settings(**flags)` merges the common options and the given flags with environment and file.
    """
    return _command(body, _COMMON)


def bare_command(body: Body[P]) -> Callable[P, None]:
    """A `command` that works on no deployment: without the options that say which."""
    return _command(body, _BARE)


def deploy_command(body: Body[P]) -> Callable[P, None]:
    """A `command` that also takes every option of a deploy; `settings()` holds them."""
    return _command(body, {**_DEPLOY, **_COMMON})


def _is_here(settings: Settings) -> bool:
    """Whether the record that is followed is of the local cloud."""
    from lambdacap.deployment.record import Records, chosen

    try:
        found = chosen(settings, Records(settings.home))
    except LambdacapError:
        return False
    return found is not None and found.target == "local"


def _here() -> Path:
    """The current folder, in which `lambdacap.toml` may lie."""
    try:
        return Path.cwd()
    except OSError as error:
        raise StorageError(
            f"the current folder cannot be used: {error.strerror}", hint="Go to another one (`cd`), then repeat it."
        ) from error


def _command(body: Body[P], options: Mapping[str, Any]) -> Callable[P, None]:
    @wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        taken: dict[str, Any] = {name: kwargs.pop(name) for name in options}
        json_output, debug = (bool(taken.pop(name)) for name in ("json_output", "debug"))
        console = Console(json_output=json_output, debug=debug)

        meant: list[Settings] = []

        def settings(**flags: Any) -> Settings:  # noqa: ANN401 - as many types as settings
            for sentence in strangers(os.environ):
                console.report(Warned(sentence))
            loaded = load({**taken, **flags}, os.environ, _here())
            if said := from_file(loaded):
                console.note(said)
            console.options = typed(loaded)
            meant.append(loaded)
            return loaded

        try:
            with console:
                body(settings, console, *args, **kwargs)
        except LambdacapError as error:
            here = bool(meant) and _is_here(meant[-1])
            error.hint = completed(error.hint, console.options, here=here)
            raise
        except BrokenPipeError as error:
            raise SystemExit(UNHEARD) from error  # Typer would make another exit code of it

    signature = inspect.signature(body, eval_str=True)
    own = list(signature.parameters.values())[2:]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name in _BARE else None,
            annotation=annotation,
        )
        for name, annotation in options.items()
    ]
    parameters = [*own, *added]
    # Typer reads both, and must not look behind the wrapper.
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run
