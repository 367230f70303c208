"""Where a photo's bytes come from: a file, or what is piped in, which can be read once only."""

from __future__ import annotations

import stat
import sys
from functools import cache
from pathlib import Path

from lambdacap.errors import PhotoError

STDIN = Path("-")
"""In the place of a file: what is piped in."""


def is_piped(path: Path) -> bool:
    """Whether it is no file that lies there, but what another program writes: `-`, or a shell's `<(…)`."""
    if path == STDIN:
        return True
    # A FIFO that lies in a folder may wait for its writer for ever.
    return path.parts[:2] in (("/", "dev"), ("/", "proc")) and path.exists() and stat.S_ISFIFO(path.stat().st_mode)


def read(path: Path) -> bytes:
    """All of it. Raises `OSError`, and `PhotoError` for what is neither a file nor piped in."""
    if path == STDIN or is_piped(path):
        return _piped(path)
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder's own error says what it is
        raise PhotoError(
            f"{path} is no file", hint="`lambdacap invoke -` takes what is piped in, as in: cat photo.jpg | …"
        )
    return path.read_bytes()


@cache
def _piped(path: Path) -> bytes:
    if path != STDIN:
        return path.read_bytes()
    if sys.stdin.isatty():
        raise PhotoError("nothing is piped in", hint="As in: cat photo.jpg | lambdacap invoke -")
    return sys.stdin.buffer.read()
