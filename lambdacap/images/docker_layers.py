"""What takes the room in an image: its layers, named by what they hold, with what is sent of each.

The engine knows sizes only; what a layer weighs on its way to the registry is estimated from samples of it.
"""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdacap.errors import EngineError
from lambdacap.images.docker_engine import root_cause

if TYPE_CHECKING:
    from docker import DockerClient

BASE = "base"
_LEVEL = 6
"""gzip's own default, which registries' clients use."""
_BLOCK, _SAMPLE = 1 << 20, 1 << 16
"""Of every MiB the first 64 KiB are compressed: within 2 % of the truth for weights and for Python packages."""
_MAKES_A_LAYER = ("COPY", "ADD", "RUN")


@dataclass(frozen=True)
class Layer:
    """`size` and `compressed` in bytes, the latter an estimate; `name` is the build stage that it comes from."""

    name: str
    size: int
    compressed: int


def measure(engine: DockerClient, image: str, folder: Path) -> list[Layer]:
    """The layers of `image`, built from `folder`: the base as one, then each of its own in their order."""
    from docker.errors import APIError

    try:
        # Read once from front to end: the engine sends the image as one tar.
        with (
            BufferedReader(_Chunks(engine.api.get_image(image)), _BLOCK) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            files, links, texts = _read(tar)
    except (APIError, OSError, tarfile.TarError) as error:
        raise EngineError(f"the image {image} could not be looked at: {root_cause(error)}") from error
    manifest = json.loads(texts["manifest.json"])[0]
    sizes = [files[links.get(path, path)] for path in manifest["Layers"]]
    own = [name for keyword, name in last_stage((folder / "Dockerfile").read_text("utf-8")) if keyword]
    first = max(0, len(sizes) - len(own))
    base, rest = sizes[:first], sizes[first:]
    return [
        Layer(BASE, sum(size for size, _ in base), sum(compressed for _, compressed in base)),
        *(Layer(name, *size) for name, size in zip(own[-len(rest) :], rest, strict=True)),
    ]


def last_stage(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of the last stage that make a layer: (keyword, the stage copied from, or the instruction)."""
    lines = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    instructions = [words for line in lines if (words := " ".join(line.split()))]
    begin = max((n for n, words in enumerate(instructions) if words.upper().startswith("FROM ")), default=-1)
    found = []
    for words in instructions[begin + 1 :]:
        keyword = words.partition(" ")[0].upper()
        if keyword in _MAKES_A_LAYER:
            source = re.search(r"--from=(\S+)", words)
            found.append((keyword, source[1] if source else words[:60]))
    return found


def _read(tar: tarfile.TarFile) -> tuple[dict[str, tuple[int, int]], dict[str, str], dict[str, bytes]]:
    """Of each file its (size, compressed size); which names are links to others; and the small JSON files."""
    files: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    texts: dict[str, bytes] = {}
    for entry in tar:
        if entry.issym():
            links[entry.name] = posixpath.normpath(posixpath.join(posixpath.dirname(entry.name), entry.linkname))
        content = tar.extractfile(entry) if entry.isreg() else None
        if content is None:
            continue
        sampled = packed = 0
        start = b""
        while block := content.read(_BLOCK):
            start = start or block
            sample = block[:_SAMPLE] if entry.size > _BLOCK else block
            sampled += len(sample)
            packed += len(zlib.compress(sample, _LEVEL))
        if start[:1] in (b"{", b"["):
            texts[entry.name] = start
        files[entry.name] = entry.size, round(entry.size * packed / sampled) if sampled else 0
    return files, links, texts


class _Chunks(RawIOBase):
    """An iterator of byte strings as a file to read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
