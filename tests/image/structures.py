"""Pictures put together so that their parts repeat, nest, overlap, or say less or more than they hold.

Where `mutations.py` spoils files at random, each of these is whole in itself and made on purpose; every one comes again
from its number.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from PIL import Image

from tests.image import isobmff
from tests.image.isobmff import Item, box, full
from tests.image.samples import encode, png_chunk, tiff_file

T = TypeVar("T")
SIDES = (1, 7, 16, 64, 300, 2000, 5000, 16_384, 65_535)
FILLERS = (b"\0", b"\x80", b"\xff", b"\0\0\0\xff\xff", b"\x80\x00\x20\x08\x02", b"\1\0", b"\0\2\xff\xff", b"\0\0")


class Dice:
    """Chance that comes again."""

    def __init__(self, number: int) -> None:
        self._rng = np.random.default_rng([0x57EC, number])

    def below(self, most: int) -> int:
        return int(self._rng.integers(max(1, most)))

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def often(self) -> int:
        """Mostly a few, at times many."""
        return int(2 ** self._rng.uniform(0, self.one((2, 4, 8, 11))))

    def side(self) -> int:
        return self.one(SIDES)

    def filler(self) -> bytes:
        content = self.one(FILLERS) * self.one((1, 30, 3000, 100_000))
        return self.one((content, zlib.compress(content), self._rng.bytes(self.below(300))))


def items(dice: Dice) -> bytes:
    """HEIC and AVIF: items of items, extents over each other, sizes that are not so, boxes in boxes."""
    codec = dice.one(("HEIF", "AVIF"))
    coded = dice.one((64, 64, 256, 2048))
    file = isobmff.picture(codec, coded, coded, said=(dice.side(), dice.side()) if dice.below(2) else None)
    for _ in range(dice.below(4)):
        file.properties.append(isobmff.ispe(dice.side(), dice.side()))
    for _ in range(dice.often()):
        count, width, height = dice.one((1, 2, 4)), dice.side(), dice.side()
        parts = [1 + dice.below(len(file.items) + 2) for _ in range(count)]
        derived = {
            b"grid": isobmff.grid(1, count, width, height),
            b"iovl": isobmff.overlay(width, height, count),
        }
        kind = dice.one((b"grid", b"iovl", b"iden", b"Exif", b"mime", file.items[0].kind))
        has = tuple(1 + dice.below(len(file.properties)) for _ in range(dice.below(3)))
        extents = tuple((dice.below(5000), dice.one((0, 10, 5000, 2**31))) for _ in range(dice.one((0, 0, 1, 40))))
        link = b"dimg" if kind in (b"grid", b"iovl", b"iden") else dice.one((b"auxl", b"thmb", b"cdsc"))
        file.add(Item(kind, derived.get(kind) or dice.filler()[:1000], has, extents), parts, link)
    file.primary = dice.one((1, len(file.items), 1 + dice.below(len(file.items))))
    if dice.below(3) == 0:
        samples = dice.one((0, 1, 1000, 10**6, 2**32 - 1))
        table = full(b"stsz", 0, struct.pack(">II", dice.below(9), samples)) * dice.often()
        table += full(b"stco", 0, struct.pack(">I", samples), bytes(40))
        for name in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
            table = box(name, table * dice.one((1, 1, 2)))
        file.more = table
    data = bytearray(file.encoded())
    if dice.below(2):  # a box that is smaller or larger than what is in it
        names = [
            at for at in range(28, len(data) - 4) if data[at : at + 4].isalnum() and data[at - 4 : at - 1] < b"\0\1"
        ]
        place = dice.one(names) - 4
        data[place : place + 4] = struct.pack(">I", dice.one((0, 1, 8, 12, len(data), 2**31)))
    return bytes(data)


def directories(dice: Dice) -> bytes:
    """TIFF: strips and tiles that share bytes, under every compression."""
    code = dice.one((1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 32773, 32946, 34925, 50000))
    content = zlib.compress(bytes(2_000_000)) if code == 8 and dice.below(2) else dice.filler()
    bits = 1 if code in (2, 3, 4) else dice.one((1, 8, 8, 16))
    count, width, height = dice.one((1, 1, dice.often())), dice.side(), dice.side()
    offsets = [8 + dice.one((0, dice.below(len(content)))) for _ in range(count)]
    sizes = [dice.one((0, len(content), dice.below(len(content)), 2**32 - 1)) for _ in range(dice.one((0, 1, count)))]
    tags = {256: [width], 257: [height], 258: [bits], 259: [code], 262: [1], 277: [1]}
    if bits == 8:
        tags |= dice.one(({}, {}, {262: [2], 258: [8, 8, 8], 277: [3]}, {277: [60_000]}))
    if dice.below(2):
        tags |= {273: offsets, 278: [dice.one((1, 8, height, 2**32 - 1))], 279: sizes or [0]}
    else:
        tags |= {322: [dice.side()], 323: [dice.side()], 324: offsets, 325: sizes or [0]}
    for _ in range(dice.below(4)):
        tags[dice.one((330, 347, 320, 700, 34377, 34665, 34675, 317, 338))] = [dice.below(5000)] * dice.often()
    data = tiff_file(tags, content)
    if dice.below(3) == 0:  # the next directory is this one
        (start,) = struct.unpack_from("<I", data, 4)
        after = start + 2 + 12 * len(tags)
        data = data[:after] + data[4:8] + data[after + 4 :]
    return data


def chunks(dice: Dice) -> bytes:
    """PNG: chunks again and again, packed, split, of another size than the header says."""
    width, height = dice.side(), dice.side()
    depth, colours = dice.one(((8, 0), (8, 2), (8, 6), (16, 2), (16, 6), (1, 3), (8, 3), (16, 0)))
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, dice.below(2))
    packed = zlib.compress(bytes(dice.one((10, 3000, 300_000, 3_000_000))))
    middle = [png_chunk(b"PLTE", bytes(3 * dice.one((1, 16, 256))))]
    for _ in range(dice.one((0, 1, 2, 4))):
        name = dice.one(
            (b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"tRNS", b"sPLT", b"gAMA", b"cHRM", b"acTL", b"fcTL", b"fdAT")
        )
        content = {b"iCCP": b"x\0\0" + packed, b"zTXt": b"x\0\0" + packed, b"iTXt": b"x\0\1\0\0\0" + packed}
        middle.append(png_chunk(name, content.get(name, dice.filler()[:1000])) * min(dice.often(), 400))
    size = dice.one((len(packed), 100, 1 + len(packed) // 9))
    pixels = b"".join(png_chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size))
    end = png_chunk(b"IEND", b"") * dice.below(3)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) * dice.one((1, 1, 2)) + b"".join(middle) + pixels + end


def segments(dice: Dice) -> bytes:
    """JPEG: scans, tables, restarts and profiles again and again."""
    side = dice.one((16, 300, 2000))
    mode = dice.one(("L", "RGB", "CMYK"))
    restarts = {"restart_marker_blocks": 1} if dice.below(2) else {}
    data = encode(Image.new(mode, (side, side), 99), "JPEG", progressive=bool(dice.below(2)), **restarts)
    scan = data.rindex(b"\xff\xda")
    more = b""
    for _ in range(dice.one((0, 1, 3))):
        content = dice.one((b"ICC_PROFILE\0\1\1" + dice.filler(), b"Exif\0\0" + dice.filler(), dice.filler()))[:60_000]
        marker = dice.one((0xE0, 0xE1, 0xE2, 0xEE, 0xFE, 0xDB, 0xC4, 0xDD, 0xDC))
        more += (b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(content)) + content) * min(dice.often(), 60)
    data = data[:2] + more + data[2:scan] * dice.one((1, 1, 2)) + data[scan:-2] * dice.often() + data[-2:]
    frame = next(at for at in range(len(data)) if data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] in b"\xc0\xc2")
    if dice.below(2):
        data = data[: frame + 5] + struct.pack(">HH", dice.side(), dice.side()) + data[frame + 9 :]
    return data[:4_000_000]


def frames(dice: Dice) -> bytes:
    """GIF: frames and extensions of any size on a screen of any."""
    screen = dice.side(), dice.side()
    data = (
        b"GIF89a"
        + struct.pack("<HHBBB", *screen, dice.one((0, 0x80, 0x81, 0x87)), 0, 0)
        + bytes(dice.one((6, 12, 768)))
    )
    for _ in range(dice.one((1, 2, 5))):
        blocks = dice.filler()[:20_000]
        body = b"".join(
            bytes([len(blocks[at : at + 255])]) + blocks[at : at + 255] for at in range(0, len(blocks), 255)
        )
        frame = struct.pack("<HHHHB", dice.below(99), 0, dice.side(), dice.side(), dice.one((0, 0x40, 0x87)))
        part = b"," + frame + bytes([dice.one((2, 8, 11, 12))]) + body + b"\0"
        if dice.below(2):
            part = b"!" + bytes([dice.one((0xF9, 0xFE, 0xFF, 1))]) + body + b"\0"
        data += part * min(dice.often(), 1 + 3_000_000 // len(part))
    return data[:4_000_000] + b";"


def riff(dice: Dice) -> bytes:
    """WebP: chunks again, in each other, on a canvas of another size."""
    size = dice.one((8, 300, 2000))
    whole = encode(Image.new(dice.one(("RGB", "RGBA")), (size, size), 9), "WEBP", lossless=bool(dice.below(2)))
    pixels = whole[12:]
    parts = []
    for _ in range(dice.one((0, 1, 3))):
        name = dice.one((b"ICCP", b"EXIF", b"XMP ", b"ANIM", b"ANMF", b"ALPH", b"junk"))
        content = dice.filler()[:100_000]
        if name == b"ANMF":
            content = bytes(6) + (dice.side() - 1).to_bytes(3, "little") * 2 + bytes(4) + pixels * dice.one((1, 2))
        content += bytes(len(content) % 2)
        part = name + struct.pack("<I", dice.one((len(content), len(content), 2**31))) + content
        parts.append(part * min(dice.often(), 1 + 1_000_000 // len(part)))
    canvas = (dice.side() - 1).to_bytes(3, "little") + (dice.side() - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([dice.below(64), 0, 0, 0]) + canvas
    body = b"WEBP" + (extended if dice.below(3) else b"") + b"".join(parts) + pixels
    return b"RIFF" + struct.pack("<I", dice.one((len(body), len(body), 12, 2**31))) + body


def runs(dice: Dice) -> bytes:
    """BMP: runs, jumps and lines under every header."""
    bits, code = dice.one(((8, 1), (4, 2), (8, 1), (24, 0), (32, 3), (16, 3), (1, 0), (8, 0)))
    width, height = dice.side(), dice.side() * dice.one((1, 1, -1))
    content = b"".join(dice.filler() * dice.one((1, 2, 9)) for _ in range(dice.one((1, 3))))[:3_000_000]
    size = dice.one((40, 40, 108, 124, 12, 64))
    start = 14 + size + dice.one((0, 12, 64, 1024))
    header = struct.pack(
        "<IiiHHIIiiII", size, width, height, 1, bits, code, len(content), 0, 0, dice.one((0, 2, 256)), 0
    )
    return (b"BM" + struct.pack("<IHHI", len(content), 0, 0, start) + header).ljust(start, b"\x1f") + content


BUILDERS: dict[str, Callable[[Dice], bytes]] = {
    "HEIC and AVIF": items,
    "TIFF": directories,
    "PNG": chunks,
    "JPEG": segments,
    "GIF": frames,
    "WebP": riff,
    "BMP": runs,
}


def structure(number: int) -> tuple[str, bytes]:
    """The name of the format and the file of that number."""
    name = list(BUILDERS)[number % len(BUILDERS)]
    return f"{name}, built", BUILDERS[name](Dice(number))


def structures(count: int, first: int = 0) -> Iterator[tuple[int, str, bytes]]:
    """`count` of them, each with its number."""
    for number in range(first, first + count):
        yield number, *structure(number)
