"""stdout and stderr as any terminal, pipe or file can be: nothing about them makes a command fail half-way.

Characters that an encoding lacks are spelled otherwise. What cannot be written to stderr is left unsaid, since it is
only for people; what cannot be written to stdout is an `OSError`, since it is the result.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

from lambdacap.errors import StorageError

_SPELLED = {
    "✓": "+",
    "✗": "x",
    "…": "...",
    "→": "->",
    "←": "<-",
    "×": "x",
    "·": "-",
    "—": "-",
    "–": "-",
    "“": '"',
    "”": '"',
    "’": "'",
    "━": "-",
    "╸": "-",
    "╺": "-",
}


class Notes(io.TextIOWrapper):
    """stderr: for people, so that a full disk or a reader that has gone stops nothing."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


class Closed(io.RawIOBase):
    """stdout that was closed before the command began."""

    def writable(self) -> bool:
        return True

    def write(self, _content: object) -> int:
        raise OSError(9, os.strerror(9))


def prepare() -> None:
    """Make stdout and stderr of this process so."""
    codecs.register_error("spelled", _spell)
    # A closed descriptor would be that of the next file that is opened, and what is printed would go there.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for good
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(Closed()), "utf-8", "spelled", write_through=False)
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="spelled")
    if sys.stderr is None:
        sys.stderr = Notes(io.FileIO(2, "w", closefd=False), "utf-8", "spelled", line_buffering=True)
    elif isinstance(sys.stderr, io.TextIOWrapper):
        encoding = sys.stderr.encoding
        sys.stderr = Notes(sys.stderr.detach(), encoding, "spelled", line_buffering=True)


def finish() -> None:
    """Write what is still to be written. Raises `StorageError` when stdout cannot take it, or `BrokenPipeError`."""
    sys.stderr.flush()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(
            f"the result cannot be written to stdout: {error.strerror}",
            hint="What was to be done is done: give stdout somewhere to go, and ask again.",
        ) from error


def abandon() -> None:
    """Forget what stdout could not take, or Python would complain of it on its way out."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the process ends


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(_SPELLED.get(c) or c.encode("ascii", "backslashreplace").decode() for c in wrong), error.end
