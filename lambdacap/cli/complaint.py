"""What is said of an error, on stderr, and the exit code: the one place where errors end.

Without Rich: it is said at once, and on whatever stderr is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

from lambdacap.cli.console import visible
from lambdacap.errors import LambdacapError, UsageError
from lambdacap.storage import explained

FAILED, USAGE, INTERRUPTED, UNHEARD = 1, 2, 130, 141
"""Exit codes; 141 is what a shell says of a program whose reader went away."""


def complain(error: BaseException, *, as_json: bool = False, debug: bool = False) -> int:
    """Say what went wrong, and return the exit code.

    `as_json`: as one line, `{"error": {"type": …, "message": …, "hint": …}}`. With `debug` a traceback goes before.
    """
    if debug:
        import traceback

        sys.stderr.writelines(map(visible, traceback.format_exception(error)))
    if isinstance(error, BrokenPipeError):
        return UNHEARD  # nobody is there to be told
    kind, message, hint, code = _told(error)
    if as_json:
        sys.stderr.write(json.dumps({"error": {"type": kind, "message": message, "hint": hint}}) + "\n")
    elif code == INTERRUPTED:
        sys.stderr.write(f"{_styled('interrupted', '33')}: {hint}\n")
    else:
        sys.stderr.write(f"{_styled('error:', '1;31')} {visible(message)}\n")
        if hint:
            sys.stderr.write(f"{_styled('hint:', '2')}  {visible(hint)}\n")
    sys.stderr.flush()
    return code


def _told(error: BaseException) -> tuple[str, str, str, int]:
    """Type, message, hint and exit code."""
    if any(isinstance(cause, KeyboardInterrupt) for cause in _causes(error)):
        # Some libraries make other errors of it while they are imported.
        return "Interrupted", "interrupted", "run the same command again, it goes on where it was", INTERRUPTED
    if isinstance(error, OSError) and error.errno is not None:
        error = explained(error)
    if isinstance(error, MemoryError):
        error = LambdacapError("memory ran out", hint="End what needs it, then run the same command again.")
    if isinstance(error, LambdacapError):
        code = USAGE if isinstance(error, UsageError) else FAILED
        return type(error).__name__, error.message, error.hint, code
    message = f"lambdacap has a defect: {type(error).__name__}: {error}"
    return "Defect", message, "Run it again with --debug and report what it prints.", FAILED


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _styled(text: str, code: str) -> str:
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if coloured else text
