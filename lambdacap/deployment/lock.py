"""One command at a time: a lock that the kernel releases when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lambdacap.errors import StorageError
from lambdacap.storage import writing


class HeldError(Exception):
    """Another process has the lock; `pid` is its id as far as it has said."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"held by process {pid}")
        self.pid = pid


@contextmanager
def held(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Have the lock at `path` for the block; its file is gone afterwards.

    `wait` until it is free, or else raise `HeldError`. Raises `StorageError` where no file can be made.
    """
    file = _take(path, wait=wait)
    try:
        with suppress(OSError):  # a full disk: whose lock it is stays untold
            os.truncate(file, 0)
            os.write(file, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def is_held(path: Path) -> bool:
    """Whether a process has the lock at `path`; a file that a killed one left is nobody's."""
    try:
        with held(path):
            return False
    except HeldError:
        return True
    except StorageError:  # which nobody could take
        return False


def holder(path: Path) -> int | None:
    """The id of the process that has the lock at `path`, or None; looking keeps nobody from taking it."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(file, 20, 0).decode("ascii", "replace")
        return int(pid) if pid.isdecimal() else None
    else:
        return None
    finally:
        os.close(file)


def _take(path: Path, *, wait: bool) -> int:
    """A descriptor of the file at `path`, locked."""
    while True:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:  # the one who had it has just removed the folder
                continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            pid = os.pread(file, 20, 0).decode()
            os.close(file)
            raise HeldError(pid or "unknown") from None
        if _is(path, file):
            return file
        os.close(file)  # whoever had it has removed it since: it is nobody's lock any more


def _is(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
