"""What the local cloud keeps in its home, and how it goes: nothing that somebody else put there goes with it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

LARGEST_LOG = 5 << 20
"""Bytes after which a log begins anew; the one before is kept beside it."""

_FILES = ("made-home", "cloud.json", "cloud.tmp", "cloud.log", "cloud.log.1", "secret", "cloud.pid")
_FOLDERS = ("docker", "functions", "images", "state", "tmp")


def process_lock(home: Path) -> Path:
    """Held by the cloud's process for as long as it lives, with its id in it."""
    return home / "local" / "cloud.pid"


def log_file(home: Path) -> Path:
    """What the cloud prints; while and after it has run."""
    return home / "local" / "cloud.log"


def mark_made(home: Path) -> None:
    """Note that `home` was not there before: only then does it go with the cloud."""
    (home / "local" / "made-home").touch(mode=0o600)


def remove(home: Path) -> bool:
    """Delete what the cloud of `home` kept, and the folder `local` too if nothing else is in it.

    Links are removed, and nothing behind them. Returns whether `home` was made for it. Raises `OSError` for what cannot
    be deleted.
    """
    folder = home / "local"
    if folder.is_symlink():
        return False
    made = (folder / "made-home").exists()
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    for name in _FOLDERS:
        path = folder / name
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    remove_empty(folder)
    return made


def remove_empty(folder: Path) -> None:
    """Delete `folder` if nothing is in it."""
    with contextlib.suppress(FileNotFoundError):
        if not any(folder.iterdir()):
            folder.rmdir()


def rotate(log: Path, *, always: bool = False) -> bool:
    """Set the log aside once it is large, or `always`; returns whether it was."""
    size = log.stat().st_size if log.exists() else 0
    if not size or (size < LARGEST_LOG and not always):
        return False
    log.replace(log.with_name(f"{log.name}.1"))
    return True


def print_into(log: Path) -> None:
    """Let all that this process prints go into `log`, which nobody else may read."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
