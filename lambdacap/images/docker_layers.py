"""What takes the room in an image: its layers, named by what they hold, with what is sent of each.

Docker's own image store keeps layers as they are: what one weighs on its way to the registry is estimated from
samples of it. Containerd's keeps them compressed, which is what is sent.
"""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, RawIOBase
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdacap.errors import EngineError
from lambdacap.images.docker_context import dockerfile
from lambdacap.images.docker_engine import asking

if TYPE_CHECKING:
    from docker import DockerClient

BASE = "base"
_LEVEL = 6
"""gzip's own default, which registries' clients use."""
_BLOCK, _SAMPLE = 1 << 20, 1 << 16
"""Of every MiB the first 64 KiB are compressed: within 2 % of the truth for weights and for Python packages."""
_PIECE = 1 << 24
"""Bytes that are inflated at a time: zeros grow a thousandfold."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MAKES_A_LAYER = ("COPY", "ADD", "RUN")


@dataclass(frozen=True)
class Layer:
    """`size` and `compressed` in bytes, the latter an estimate; `name` is the build stage that it comes from."""

    name: str
    size: int
    compressed: int


def measure(engine: DockerClient, image: str, folder: Path) -> list[Layer]:
    """The layers of `image`, built from `folder`: the base as one, then each of its own in their order."""
    sizes = _saved(engine, image)
    own = [name for keyword, name in last_stage(dockerfile(folder).read_text("utf-8")) if keyword]
    first = max(0, len(sizes) - len(own))
    base, rest = sizes[:first], sizes[first:]
    return [
        Layer(BASE, sum(size for size, _ in base), sum(compressed for _, compressed in base)),
        *(Layer(name, *size) for name, size in zip(own[-len(rest) :], rest, strict=True)),
    ]


def unpacked(engine: DockerClient, image: str, *, trusted: int = 5 * 2**30) -> int:
    """Bytes of the layers of `image`, uncompressed: what Lambda's quota counts. Raises `EngineError`.

    What engines call the size of an image is packed, unpacked or both; their history counts what the layers' files
    occupy. Up to `trusted` bytes that is near enough; above, the layers themselves are read.
    """
    with asking(f"the image {image} could not be looked at"):
        found = engine.images.get(image)
        told = max(found.attrs.get("Size") or 0, sum(step.get("Size") or 0 for step in found.history()))
    return told if told <= trusted else sum(size for size, _ in _saved(engine, image))


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


def _saved(engine: DockerClient, image: str) -> list[tuple[int, int]]:
    """The layers' (size, compressed size), the base's first."""
    fails = f"the image {image} could not be looked at"
    try:
        # Read once from front to end: the engine sends the image as one tar.
        with (
            asking(fails),
            BufferedReader(_Chunks(engine.api.get_image(image)), _BLOCK) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            files, links, texts = _read(tar)
        manifest = json.loads(texts["manifest.json"])[0]
        return [files[links.get(path, path)] for path in manifest["Layers"]]
    except (tarfile.TarError, zlib.error, KeyError, ValueError) as error:
        raise EngineError(f"{fails}: what the engine sends of it is incomplete ({error})") from error


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
        blocks = iter(partial(content.read, _BLOCK), b"")
        start = next(blocks, b"")
        if start[:1] in (b"{", b"["):
            texts[entry.name] = start
        if start.startswith(_ZSTD):
            raise EngineError(
                "one of its layers is compressed with zstd, which Lambda does not run",
                hint="It comes with the base image: --base-image names another, or one with gzip's layers.",
            )
        count = _inflated if start.startswith(_GZIP) else _deflated
        files[entry.name] = count(chain([start], blocks), entry.size)
    return files, links, texts


def _deflated(blocks: Iterable[bytes], size: int) -> tuple[int, int]:
    """Of a file as it is: its size, and about how much it will be compressed."""
    sampled = packed = 0
    for block in blocks:
        sample = block[:_SAMPLE] if size > _BLOCK else block
        sampled += len(sample)
        packed += len(zlib.compress(sample, _LEVEL))
    return size, round(size * packed / sampled) if sampled else 0


def _inflated(blocks: Iterable[bytes], size: int) -> tuple[int, int]:
    """Of a file that containerd's image store keeps compressed: how much it holds, and its size."""
    total = 0
    stream = zlib.decompressobj(wbits=31)
    for block in blocks:
        rest = block
        while rest:
            total += len(stream.decompress(rest, _PIECE))
            rest = stream.unconsumed_tail
            if stream.eof:  # one file may be several gzip streams, one after the other
                rest, stream = stream.unused_data, zlib.decompressobj(wbits=31)
    return total, size


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
