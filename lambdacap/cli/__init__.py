"""The command: its modules parse, call one function of the work, and render what it returns."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point: every error ends here, those of an import, too."""
    try:
        from lambdacap.cli.app import app

        app()
    except SystemExit as stop:
        if stop.code == 130:  # what Typer makes of Ctrl-C, without a word
            from lambdacap.cli.console import print_error

            print_error(KeyboardInterrupt())
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - this is where they end
        from lambdacap.cli.console import print_error

        sys.exit(print_error(error))
