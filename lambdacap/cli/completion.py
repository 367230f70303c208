"""Completion of the command line by bash, zsh and fish: Typer's, with the shell named or found."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

PROGRAM = "lambdacap"
VARIABLE = "_LAMBDACAP_COMPLETE"
_OPTIONS = ("--show-completion", "--install-completion")


class Shell(StrEnum):
    """The shells that are known."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def show(shell: Shell | None) -> None:
    """Print the script that a shell reads."""
    if shell:
        from typer.completion import get_completion_script  # type: ignore[attr-defined]

        script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value)
        sys.stdout.write(script.strip() + "\n")
        raise typer.Exit


def install(shell: Shell | None) -> None:
    """Put the script where the shell reads it."""
    if shell:
        from typer.completion import install as write  # type: ignore[attr-defined]

        _, place = write(shell=shell.value, prog_name=PROGRAM, complete_var=VARIABLE)
        sys.stderr.write(f"{shell.value} completes from its next start on: {place}\n")
        raise typer.Exit


Show = Annotated[
    Shell | None,
    typer.Option(
        "--show-completion", help="Print the completion for a shell.", metavar="SHELL", is_eager=True, callback=show
    ),
]
Install = Annotated[
    Shell | None,
    typer.Option(
        "--install-completion",
        help="Install the completion for a shell.",
        metavar="SHELL",
        is_eager=True,
        callback=install,
    ),
]


def named(arguments: Sequence[str]) -> list[str]:
    """The arguments, in which the present shell stands where a completion was asked for without saying which."""
    words = list(arguments)
    if words and words[-1] in _OPTIONS and (shell := _present()):
        words.append(shell)
    return words


def completing() -> bool:
    """Whether a shell asks for completions.

    They are plain text: Rich, which Typer would tidy them by, is kept out, since it takes longer than all the rest.
    """
    if VARIABLE not in os.environ:
        return False
    sys.modules["rich"] = None  # type: ignore[assignment]
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()  # Typer does it for commands that it adds its own options to
    return True


def _present() -> str | None:
    """The shell that runs the command, else the one that the user signs in with."""
    from shellingham import ShellDetectionFailure, detect_shell

    try:
        name = detect_shell()[0]
    except (ShellDetectionFailure, OSError):
        name = ""
    login = Path(os.environ.get("SHELL", "")).name
    return next((shell.value for shell in Shell if shell.value in (name, login)), None)
