"""Where a bundle goes: a folder that appears whole, and that takes the place of nothing but a bundle."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

from captioner.bundle import AVX512, MANIFEST, RUNTIMES, VOCABULARY, Bundle, BundleError

from convert.errors import ConvertError, shown

_GRAPHS = (*RUNTIMES["onnx"], *AVX512.values())
FILES = frozenset((MANIFEST, VOCABULARY, *RUNTIMES["torch"], *_GRAPHS, *(f"{graph}.data" for graph in _GRAPHS)))
"""All that is ever in a bundle."""
_AT_FDCWD, _SWAP = -100, 2  # linux/fcntl.h, and RENAME_EXCHANGE of linux/fs.h; RENAME_SWAP of macOS is 2 too


def check(folder: Path) -> None:
    """Raise `ConvertError` unless `folder` is not there, is empty, or holds a bundle and nothing else."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise ConvertError(f"{folder} is there and is no folder", hint="Name a new folder with -o.")
    entries = list(os.scandir(folder))
    if not entries:
        return
    try:
        Bundle.load(folder)
    except BundleError as error:
        raise ConvertError(
            f"{folder} is not empty and is no model bundle ({error})", hint="Name a new folder with -o."
        ) from error
    others = sorted(
        entry.name for entry in entries if entry.name not in FILES or not entry.is_file(follow_symlinks=False)
    )
    if others:
        raise ConvertError(
            f"{folder} holds more than a model bundle: {shown(others)}",
            hint="Move that away, or name a new folder with -o.",
        )


def place(draft: Path, folder: Path) -> None:
    """Put `draft` where `folder` is: at every moment, a power cut included, there is the old one or the new one whole.

    What `folder` was is then at `draft`. Raises `ConvertError` where it must not be replaced, or cannot.
    """
    for file in draft.iterdir():
        _sync(file)
    _sync(draft)
    check(folder)
    if folder.is_dir() and any(folder.iterdir()):
        _swap(draft, folder)
        try:
            check(draft)
        except ConvertError:  # somebody has put something into it in the last moment
            _swap(draft, folder)
            raise
    else:
        draft.rename(folder)
    _sync(folder.parent)


def _swap(one: Path, other: Path) -> None:
    """Exchange two folders in one step, which Linux and macOS can and Python has no function for."""
    library: Any = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(*paths, _SWAP)
        else:
            failed = library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _SWAP)
        reason = os.strerror(ctypes.get_errno()) if failed else ""
    except AttributeError:  # an old or another C library
        reason = "this system has no call for that"
    if reason:
        raise ConvertError(
            f"{other} is not replaced: it cannot be exchanged in one step here ({reason})",
            hint="Name a new folder with -o, or remove this one before.",
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
