"""Where an input's bytes come from: a file, or what is piped in, which can be read once only."""

from __future__ import annotations

import stat
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lambdacap.errors import InputError

STDIN = Path("-")
"""In the place of a file: what is piped in."""


@dataclass(frozen=True)
class File:
    """What is sent of a file, or was answered: its bytes and their media type."""

    name: str
    content: bytes
    media_type: str


def is_piped(path: Path) -> bool:
    """Whether it is no file that lies there, but what another program writes: `-`, or a shell's `<(…)`."""
    if path == STDIN:
        return True
    # A FIFO that lies in a folder may wait for its writer for ever.
    return path.parts[:2] in (("/", "dev"), ("/", "proc")) and path.exists() and stat.S_ISFIFO(path.stat().st_mode)


def load(path: Path) -> bytes:
    """All of it. Raises `InputError` when it is not there or cannot be read."""
    try:
        return read(path)
    except FileNotFoundError as error:
        # A path has lost one of an address's slashes.
        address = str(path).startswith(("http:/", "https:/"))
        hint = "Files are sent from this machine: download it first." if address else ""
        raise InputError(f"there is no file {path}", hint=hint) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def read(path: Path) -> bytes:
    """All of it. Raises `OSError`, and `InputError` for what is neither a file nor piped in."""
    if path == STDIN or is_piped(path):
        return _piped(path)
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder's own error says what it is
        raise InputError(f"{path} is no file", hint="`lambdacap invoke -` takes what is piped in, as in: cat FILE | …")
    return path.read_bytes()


@cache
def _piped(path: Path) -> bytes:
    if path != STDIN:
        return path.read_bytes()
    if sys.stdin.isatty():
        raise InputError("nothing is piped in", hint="As in: cat FILE | lambdacap invoke -")
    return sys.stdin.buffer.read()
