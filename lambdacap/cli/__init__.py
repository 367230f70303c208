"""The command: its modules parse, call one function of the work, and render what it returns."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point: every error ends here, those of an import, too."""
    try:
        from lambdacap.cli import streams

        streams.prepare()
        from lambdacap.cli.app import run

        code = run()
        streams.finish()
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - this is where they end
        code = _complain(error)
    sys.exit(code)


def _complain(error: BaseException) -> int:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C does not keep it from being said
    from lambdacap.cli import streams
    from lambdacap.cli.complaint import complain
    from lambdacap.errors import LambdacapError

    arguments = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    code = complain(error, as_json="--json" in arguments, debug="--debug" in arguments)
    try:
        streams.finish()
    except (OSError, LambdacapError):
        streams.abandon()
    return code
