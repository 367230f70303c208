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
from lambdacap.settings import DECLARATIONS, KINDS, Settings, flag, from_file, load, strangers
from lambdacap.settings.setting import WHICH, Declaration

P = ParamSpec("P")

_BARE: dict[str, Any] = {
    "json_output": Annotated[bool, typer.Option("--json", help="The result as JSON.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show tracebacks and everything that tools print.")],
}

Body = Callable[Concatenate[Callable[..., Settings], Console, P], None]


def command(body: Body[P]) -> Callable[P, None]:
    """A Typer command from `body(settings, console, …)`, with the options added that say which deployment is meant.

    `settings(**flags)` merges its options and the given flags with environment and file.
    """
    return _command(body, _options(lambda declared: declared.panel == WHICH))


def bare_command(body: Body[P]) -> Callable[P, None]:
    """A `command` that works on no deployment: without the options that say which."""
    return _command(body, _BARE)


def deploy_command(body: Body[P]) -> Callable[P, None]:
    """A `command` that also takes every option of a deploy; `settings()` holds them."""
    return _command(body, _options(lambda declared: declared.panel != ""))


def step_command(step: str) -> Callable[[Body[P]], Callable[P, None]]:
    """A `command` that also takes the options of the single step of that name; `settings()` holds them."""

    def wrap(body: Body[P]) -> Callable[P, None]:
        return _command(body, _options(lambda declared: declared.panel == WHICH or step in declared.steps))

    return wrap


def project_command(name: str) -> Callable[[Body[P]], Callable[P, None]]:
    """A `bare_command` that also takes the options of that name: it works on a folder, and on no deployment."""

    def wrap(body: Body[P]) -> Callable[P, None]:
        return _command(body, _options(lambda declared: name in declared.steps))

    return wrap


def _options(wanted: Callable[[Declaration], bool]) -> dict[str, Any]:
    """Parameters of a command for the settings that are wanted; those that say which deployment come last."""
    names = [name for name, declared in DECLARATIONS.items() if wanted(declared)]
    names.sort(key=lambda name: DECLARATIONS[name].panel == WHICH)
    return {**{name: _option(name) for name in names}, **_BARE}


def _option(name: str) -> Any:  # noqa: ANN401 - an annotation
    declared, default = DECLARATIONS[name], getattr(Settings, name, None)
    said = declared.default or (str(default) if isinstance(default, str | int) and KINDS[name] is not bool else "")
    words = f"{declared.help}. [default: {said}]" if said else f"{declared.help}."
    flags = "/".join(declared.flags or (flag(name),))
    return Annotated[KINDS[name] | None, typer.Option(flags, help=words, metavar=declared.metavar)]


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
