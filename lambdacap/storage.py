"""Files and folders of this machine that cannot be read or written: why, and what helps."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lambdacap.errors import StorageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_BUSY = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about `path` in the block into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise explained(error, path, "written") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says about `path` in the block into a `StorageError`; that nothing is there stays."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise explained(error, path, "read") from error


def explained(error: OSError, path: Path | None = None, verb: str = "used") -> StorageError:
    """The system's error as a sentence with what helps; of two names, the one that the system gave counts."""
    name = error.filename if isinstance(error.filename, str | Path) else path
    reason = error.strerror or str(error) or type(error).__name__
    message = f"{name} cannot be {verb}: {reason}" if name is not None else f"the system refused: {reason}"
    return StorageError(message, hint=_hint(error.errno))


def _hint(number: int | None) -> str:
    if number in _FULL:
        return "Make room on its disk, then run the same command again: it goes on where it was."
    if number in _FORBIDDEN:
        return "See who owns it and whether its disk can be written; LAMBDACAP_HOME names another place for records."
    if number in _BUSY:
        return "This machine has too much to do: end what it need not do, then run the same command again."
    return "See what lies there, then run the same command again."
