"""Where downloads are kept: beside a file `X` lies `X.json`, and while it is on its way `X.part` and `X.part.json`."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from lambdacap.errors import ModelError


@dataclass(frozen=True)
class Fetched:
    """A file in the cache; `size` in bytes."""

    file: Path
    url: str
    size: int
    sha256: str


def cached(url: str, cache: Path) -> Fetched | None:
    """What lies in the cache for `url`, read and hashed again; None if it is not there or not as it came."""
    file = cached_file(url, cache)
    try:
        record: dict[str, Any] = json.loads(record_of(file).read_text("utf-8"))
        found = Fetched(file, url, file.stat().st_size, str(record["sha256"]))
        return found if record["size"] == found.size and hashed(file) == found.sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def cached_file(url: str, cache: Path) -> Path:
    """Where the file of an address is kept: by its name, and a hash that tells equal names apart."""
    name = re.sub(r"[^\w.-]+", "_", unquote(Path(urlsplit(url).path).name))[-80:].lstrip(".") or "weights"
    return cache / "weights" / hashlib.sha256(url.encode()).hexdigest()[:16] / name


@contextlib.contextmanager
def alone(part: Path) -> Iterator[BinaryIO]:
    """The partial file, open and locked: two downloads into one file would spoil it."""
    with part.open("ab+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ModelError(
                f"another process is downloading {part.name} right now", hint="Wait for it, then run this again."
            ) from error
        try:
            yield stream
        finally:
            if not stream.seek(0, 2):  # nothing to go on from
                discard(part)


def discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    record_of(part).unlink(missing_ok=True)


def part_of(file: Path) -> Path:
    return file.with_name(file.name + ".part")


def record_of(file: Path) -> Path:
    return file.with_name(file.name + ".json")


def hashed(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
