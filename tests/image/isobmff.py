"""HEIC and AVIF files put together box by box, to say what no encoder would: ISO/IEC 14496-12, 23008-12."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from PIL import Image

from tests.image.samples import encode

CODECS = {"HEIF": (b"heic", b"hvc1", b"hvcC"), "AVIF": (b"avif", b"av01", b"av1C")}


@dataclass(frozen=True)
class Item:
    """`has` are numbers of properties, from 1; `extents` (offset, length), where not of its own content."""

    kind: bytes
    content: bytes = b""
    has: tuple[int, ...] = ()
    extents: tuple[tuple[int, int], ...] = ()


@dataclass
class File:
    """Items and properties count from 1; links are (kind, from, to)."""

    codec: str
    items: list[Item] = field(default_factory=list)
    properties: list[bytes] = field(default_factory=list)
    links: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)
    primary: int = 1
    more: bytes = b""

    def add(self, item: Item, parts: Iterable[int] = (), link: bytes = b"dimg") -> int:
        """The item's number."""
        self.items.append(item)
        if to := tuple(parts):
            self.links.append((link, len(self.items), to))
        return len(self.items)

    def encoded(self) -> bytes:
        """The file."""
        brand = CODECS[self.codec][0]
        head = box(b"ftyp", brand, bytes(4), b"mif1miaf", brand)
        places = self._meta([0] * len(self.items))
        start = len(head) + len(places) + 8
        offsets, content = [], b""
        for item in self.items:
            offsets.append(start + len(content))
            content += item.content
        return head + self._meta(offsets) + box(b"mdat", content) + self.more

    def _meta(self, offsets: list[int]) -> bytes:
        infos, places, owned = b"", b"", b""
        for number, (item, offset) in enumerate(zip(self.items, offsets, strict=True), 1):
            infos += full(b"infe", 2, struct.pack(">HH4s", number, 0, item.kind), b"\0")
            extents = item.extents or (((offset, len(item.content)),) if item.content else ())
            places += struct.pack(">HHH", number, 0, len(extents))
            places += b"".join(struct.pack(">II", *extent) for extent in extents)
            owned += struct.pack(">HB", number, len(item.has)) + bytes(item.has)
        count = struct.pack(">H", len(self.items))
        links = b"".join(
            box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to)) for kind, source, to in self.links
        )
        return full(
            b"meta",
            0,
            full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, struct.pack(">H", self.primary)),
            full(b"iinf", 0, count, infos),
            full(b"iloc", 0, b"\x44\0", count, places),
            full(b"iref", 0, links),
            box(b"iprp", box(b"ipco", *self.properties), full(b"ipma", 0, struct.pack(">I", len(self.items)), owned)),
        )


def box(name: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return struct.pack(">I4s", 8 + len(joined), name) + joined


def full(name: bytes, version: int, *content: bytes) -> bytes:
    return box(name, bytes([version, 0, 0, 0]), *content)


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", 0, struct.pack(">II", width, height))


def grid(rows: int, columns: int, width: int, height: int) -> bytes:
    return struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)


def overlay(width: int, height: int, count: int) -> bytes:
    return struct.pack(">BB4HII", 0, 1, 0, 0, 0, 0xFFFF, width, height) + bytes(8 * count)


@cache
def coded(codec: str, width: int, height: int) -> tuple[bytes, bytes]:
    """The configuration box and the data of a coded picture of one colour."""
    data = encode(Image.new("RGB", (width, height), "red"), codec, quality=10)
    name = CODECS[codec][2]
    place = data.index(name) - 4
    (size,) = struct.unpack_from(">I", data, place)
    start = data.rindex(b"mdat") + 4
    return data[place : place + size], data[start:]


def picture(codec: str, width: int, height: int, said: tuple[int, int] | None = None) -> File:
    """A file of one picture, of the size that it says or another."""
    configuration, content = coded(codec, width, height)
    file = File(codec, properties=[configuration, ispe(*(said or (width, height)))])
    file.add(Item(CODECS[codec][1], content, (1, 2)))
    return file


def tower(codec: str, kind: bytes, levels: int) -> bytes:
    """Two derived items on each level, each of them of both of the level below."""
    file = picture(codec, 64, 64)
    below = (1, 1)
    for _ in range(levels):
        content = {b"grid": grid(1, 2, 64, 64), b"iovl": overlay(64, 64, 2), b"iden": b""}[kind]
        parts = below if kind != b"iden" else below[:1]
        below = file.add(Item(kind, content, (2,)), parts), file.add(Item(kind, content, (2,)), parts)
    file.primary = below[0]
    return file.encoded()


def animation(samples: int) -> bytes:
    """An AVIF with a track of that many samples, all of one size of which no table is needed."""
    table = box(
        b"stbl",
        full(b"stsd", 0, bytes(4)),
        full(b"stts", 0, struct.pack(">III", 1, samples, 1)),
        full(b"stsc", 0, struct.pack(">IIII", 1, 1, samples, 1)),
        full(b"stsz", 0, struct.pack(">II", 1, samples)),
        full(b"stco", 0, struct.pack(">II", 1, 8)),
    )
    file = picture("AVIF", 64, 64)
    file.more = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", table))))
    return file.encoded()
