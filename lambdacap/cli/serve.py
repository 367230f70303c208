"""`lambdacap serve`: the API and its page, here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from lambdacap.cli.console import Console, visible
from lambdacap.cli.options import project_command
from lambdacap.errors import LambdacapError
from lambdacap.settings import Settings

PORT = 8000


@project_command("serve")
def serve(
    configure: Callable[..., Settings],
    console: Console,
    port: Annotated[int, typer.Option(help="Where to listen on 127.0.0.1; 0 takes any.", metavar="PORT", min=0)] = PORT,
) -> None:
    """Serve the project's API and page on this machine, anew with every saved change, until Ctrl-C."""
    from lambdacap.local.front import listening
    from lambdacap.operations.serve import GATEWAY, Answered, Tell
    from lambdacap.operations.serve import serve as work
    from lambdacap.operations.source import found

    settings = configure()
    found(settings)

    def broken(error: LambdacapError) -> None:
        lines = [f"error: {error.message}", *([f"hint:  {error.hint}"] if error.hint else [])]
        for line in "\n".join(lines).splitlines():
            console.note(line)

    def answered(answer: Answered) -> None:
        memory = f", {answer.memory} of {settings.memory} MB" if answer.memory else ""
        console.note(f"{answer.method} {answer.path} {answer.status}  {answer.milliseconds:.0f} ms{memory}")

    def printed(line: str) -> None:
        sys.stderr.write(f"{visible(line)}\n")

    with listening(port) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        console.address(url, {"url": url})
        sys.stdout.flush()
        limits = f"6 MB a request, {GATEWAY} s an answer, {settings.memory} MB of memory"
        console.note(f"as on Lambda: {limits}; Ctrl-C ends it")
        with suppress(KeyboardInterrupt):  # while what it needs is being installed; later it ends in order
            work(settings, listener, Tell(console.report, broken, answered, printed))
