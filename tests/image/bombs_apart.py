"""Bombs of the formats that are decoded in a process apart: TIFF, BMP, HEIC and AVIF."""

from __future__ import annotations

import lzma
import struct
from dataclasses import replace
from pathlib import Path

from PIL import Image

from tests.image.bombs import LIMIT, Bombs, unpacking_to
from tests.image.isobmff import CODECS, Item, box, full, grid, picture, tower
from tests.image.isobmff import animation as animation_of
from tests.image.samples import encode, tiff_file

DATA = Path(__file__).with_name("data")


def tiff_bombs() -> Bombs:
    packed = unpacking_to(300)
    size = [len(packed)]

    def tiff(tags: dict[int, list[int]], content: bytes = packed, side: int = 64) -> bytes:
        return tiff_file({256: [side], 257: [side], 258: [8], 259: [8], 262: [1], 277: [1]} | tags, content)

    yield "TIFF of 50,000 × 50,000", tiff({273: [8], 279: size}, side=50_000), 413
    tile = {322: [16_384], 323: [16_384], 324: [8], 325: size}
    yield "TIFF, a tile of 268 MB", tiff(tile), 413
    yield "TIFF, a strip of 300 MB", tiff({273: [8], 278: [2**32 - 1], 279: size}), 200
    strips = {273: [8] * 500_000, 278: [1], 279: [1] * 500_000}
    yield "TIFF, 500,000 strips", tiff(strips | {259: [1]}, bytes(8)), 400
    yield "TIFF, 65,535 samples a pixel", tiff({273: [8], 277: [65_535], 279: size}), 400
    yield "TIFF, 4,000 times the same 4 MB", overlapping_tiff(4000), 200
    yield "TIFF, 40,000 tags", overlapping_tiff(40_000), 400
    for name, code, filler in (
        ("empty deflate blocks", 8, b"\x78\x9c" + b"\0\0\0\xff\xff" * 200_000),
        ("LZW clear codes", 5, b"\x80\x00\x20\x08\x02\x00\x80\x20\x08" * 110_000),
        ("PackBits without effect", 32773, b"\x80" * 1_000_000),
    ):
        strips = {259: [code], 278: [1], 273: [8] * 12_000, 279: [len(filler)] * 12_000}
        yield f"TIFF, 12,000 strips of the same {name}", tiff(strips, filler, side=12_000), 400
        some = strips | {273: [8] * 1000, 279: [len(filler)] * 500}
        yield f"TIFF, 1,000 strips of the same {name}, half of no size", tiff(some, filler, side=1000), 400
        tiles = {259: [code], 322: [16], 323: [16], 324: [8] * 4096, 325: [len(filler)] * 4096}
        yield f"TIFF, 4,096 tiles of the same {name}", tiff(tiles, filler, side=1024), 400
        one = {259: [code], 278: [64], 273: [8], 279: [len(filler)]}
        yield f"TIFF, {name}", tiff(one, filler), 200 if code == 5 else 400
    data = encode(Image.new("L", (8, 8)), "TIFF")
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    after = start + 2 + 12 * count
    yield "TIFF, a directory that leads to itself", data[:after] + data[4:8] + data[after + 4 :], 200


def compressed_bombs() -> Bombs:
    """TIFF strips and tiles whose compression has rooms of its own."""
    scans = encode(Image.new("L", (4096, 4096), 99), "JPEG", progressive=True)
    scan = scans[scans.rindex(b"\xff\xda") : -2]
    scans = scans[:-2] + scan * (4_000_000 // len(scan)) + scans[-2:]
    frames = b"\x28\xb5\x2f\xfd\x20\0\1\0\0" * 400_000  # of Zstandard, empty
    blocks = b"\x28\xb5\x2f\xfd\xa0\xff\xff\xff\x7f" + b"\xfa\xff\x0f\0" * 1_000_000  # each 128 kB of the same byte
    packed = lzma.compress(bytes(300_000_000), preset=0)
    fax = b"\0\1" * 2_000_000  # ends of lines
    for name, code, content, bits, status in (
        ("JPEG of 100,000 scans", 7, scans, 8, 400),
        ("LZMA of 300 MB", 34925, packed, 8, 200),
        ("empty frames of Zstandard", 50_000, frames, 8, 400),
        ("Zstandard of 128 GB", 50_000, blocks, 8, 400),
        ("empty lines of fax", 3, fax, 1, 200),
    ):
        tags = {256: [4096], 257: [4096], 258: [bits], 259: [code], 262: [1 if bits == 8 else 0], 277: [1]}
        strip = tags | {273: [8], 278: [4096], 279: [len(content)]}
        yield f"TIFF, a strip: {name}", tiff_file(strip, content), status
        tile = tags | {322: [4096], 323: [4096], 324: [8], 325: [len(content)]}
        yield f"TIFF, a tile: {name}", tiff_file(tile, content), status
        shared = tags | {322: [64], 323: [64], 324: [8] * 4096, 325: [len(content)] * 4096}
        yield f"TIFF, 4,096 tiles of the same {name}", tiff_file(shared, content), 400
    usual = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 277: 1, 278: 1}
    entries = [(tag, 4, 1, value) for tag, value in usual.items()]
    entries += [(273, 1, 4_000_000, 8), (279, 1, 4_000_000, 8)]
    yield "TIFF, four million strips, numbered by bytes", directory(sorted(entries), bytes([8]) * 4_000_000), 400
    usual |= {273: 8, 278: 64, 279: 4096, 330: 8 + 4096, 34665: 8 + 4096}
    inside = directory([(tag, 4, 1, value) for tag, value in sorted(usual.items())], bytes(4096))
    yield "TIFF, directories within themselves", inside, 200


def overlapping_tiff(count: int) -> bytes:
    usual = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 64, 279: 4096}
    tags = [(tag, 4, 1, value) for tag, value in usual.items()]
    content = bytes(LIMIT - 200 - 12 * count)
    tags += [(1000 + number, 1, len(content), 8) for number in range(count)]
    return directory(tags, content)


def directory(tags: list[tuple[int, int, int, int]], content: bytes) -> bytes:
    """A TIFF of tags as (number, type, count, value); `content` begins at byte 8."""
    packed = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(content)) + content + packed


def bmp_bombs() -> Bombs:
    header = struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, *[0] * 6)
    yield "BMP of 60,000 × 60,000", b"BM" + header, 413
    yield "BMP, two million runs", packed_bmp(), 400
    yield "BMP, a run a line", (DATA / "wide-runs.bmp").read_bytes(), 413
    for bits, code in ((8, 1), (4, 2)):
        for name, runs in (
            ("lines that end at once", b"\0\0" * 490_000),
            ("jumps", b"\0\2\xff\xff" * 240_000),
            ("runs of nothing", b"\0\3\0" * 300_000),
            ("runs of one", b"\1\0" * 490_000),
        ):
            status = 200 if name == "jumps" else 400
            yield f"BMP, RLE{bits}, {name}", rle(bits, code, runs, 2000, 2000), status
    yield "BMP, RLE8, wide lines", rle(8, 1, b"\1\1\0\0" * 61 + b"\0\1", 65_535, 61), 200


def rle(bits: int, code: int, runs: bytes, width: int, height: int) -> bytes:
    start = 14 + 40 + 4 * 2**bits
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, code, len(runs), 0, 0, 2**bits, 0)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + bytes(4 * 2**bits) + runs


def item_bombs() -> Bombs:
    for code, name in (("AVIF", "AVIF"), ("HEIF", "HEIC")):
        small = encode(Image.new("L", (64, 64)), code)
        place = small.index(b"ispe") + 8
        data = small[:place] + struct.pack(">II", 16_000, 16_000) + small[place + 8 :]
        yield f"{name} of 16,000 × 16,000", data, 413
    yield "HEIC, a tower of overlays", (DATA / "tower-of-overlays.heic").read_bytes(), 400
    yield "AVIF, larger than it says", (DATA / "larger-than-it-says.avif").read_bytes(), 413
    for codec, title in (("HEIF", "HEIC"), ("AVIF", "AVIF")):
        kind = CODECS[codec][1]
        for derived in (b"grid", b"iovl", b"iden"):
            yield f"{title}, 40 levels of {derived.decode()}", tower(codec, derived, 40), 400
        circle = picture(codec, 64, 64)
        circle.primary = circle.add(Item(b"grid", grid(1, 1, 64, 64), (2,)), (3,))
        circle.add(Item(b"grid", grid(1, 1, 64, 64), (2,)), (2,))
        yield f"{title}, a grid of itself", circle.encoded(), 400
        repeated = picture(codec, 64, 64)
        repeated.add(Item(kind, bytes(4_000_000), (1, 2)))
        repeated.items[0] = replace(repeated.items[0], extents=((1000, 4_000_000),) * 31)
        chain = picture(codec, 64, 64)
        for _ in range(900):
            chain.primary = chain.add(Item(b"iden", b"", (2,)), (chain.primary,))
        yield f"{title}, 900 items each of the one before", chain.encoded(), 400
        yield f"{title}, 31 times the same 4 MB", repeated.encoded(), 400
        many = picture(codec, 64, 64)
        many.items += [Item(kind, b"", (2,))] * 65_024
        yield f"{title}, 65,025 items", many.encoded(), 400
        yield f"{title}, a picture larger than it says", picture(codec, 6000, 6000, said=(64, 64)).encoded(), 413
        tiles = picture(codec, 4096, 4096, said=(64, 64))
        tiles.primary = tiles.add(Item(b"grid", grid(16, 16, 1024, 1024), (2,)), (1,) * 256)
        yield f"{title}, tiles larger than they say", tiles.encoded(), 400
        described = picture(codec, 64, 64)
        described.add(Item(b"Exif", bytes(4_000_000)), (1,) * 900, link=b"cdsc")
        yield f"{title}, 900 times the same 4 MB of EXIF", described.encoded(), 400
        beside = picture(codec, 64, 64)
        for link in (b"auxl", b"thmb"):
            for _ in range(300):
                beside.add(Item(kind, beside.items[0].content, (1, 2)), (1,), link)
        yield f"{title}, 600 pictures beside it", beside.encoded(), 400 if codec == "HEIF" else 200
        nested = picture(codec, 64, 64)
        nested.more = box(b"moov", box(b"trak") * 300_000)
        yield f"{title}, 300,000 boxes", nested.encoded(), 400
        yield from decoder_bombs(codec, title)
    yield "AVIF, ten million samples", animation_of(10_000_000), 400


def decoder_bombs(codec: str, title: str) -> Bombs:
    """What is said once, and costs when it is read or drawn."""
    kind, heic = CODECS[codec][1], codec == "HEIF"
    gains = picture(codec, 64, 64)
    for _ in range(40):
        gains.primary = gains.add(Item(b"tmap", bytes(62), (2,)), (gains.primary,) * 2)
    yield f"{title}, 40 levels of tmap", gains.encoded(), 400
    nowhere = full(b"iloc", 2, bytes(2), struct.pack(">I", 400_000), struct.pack(">IHHH", 1, 0, 0, 0) * 400_000)
    data = picture(codec, 64, 64).encoded() + box(b"meta", bytes(4), nowhere)
    yield f"{title}, 400,000 items without a place", data, 400
    turned = picture(codec, 4096, 3900)
    turned.properties.append(box(b"irot", b"\1"))
    turned.items[0] = replace(turned.items[0], has=(1, 2, *(3,) * 120))
    yield f"{title}, 16 MP turned 120 times", turned.encoded(), 413 if heic else 400
    clear = picture(codec, 2048, 2048)
    clear.properties.append(full(b"auxC", 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"))
    for _ in range(30):
        clear.add(Item(kind, clear.items[0].content, (1, 2, 3)), (1,), b"auxl")
    yield f"{title}, 30 times alpha", clear.encoded(), 200
    packed = picture(codec, 64, 64)
    packed.add(Item(b"mime", unpacking_to(300)), (1,), b"cdsc")
    yield f"{title}, text of 300 MB", packed.encoded(), 200 if heic else 400
    small = picture(codec, 64, 64)
    if heic:
        said = small.properties[0][8:]
        sets = (b"\x21" + struct.pack(">H", 50_000) + (struct.pack(">H", 40) + bytes(40)) * 50_000) * 2
        small.properties[0] = box(b"hvcC", said[:22] + b"\2" + sets)
        yield "HEIC, 100,000 sets of parameters", small.encoded(), 400
        return
    giant = picture(codec, 16_000, 16_000, said=(64, 64))
    giant.properties[0], first = small.properties[0], giant.items[0]
    small.properties[0] = box(b"av1C", small.properties[0][8:12] + b"\x12\0" * 2_000_000)
    yield "AVIF, two million units", small.encoded(), 200
    for name, content in (
        ("behind 16 kB of padding", b"\x7a\xff\x7f" + bytes(16_383) + first.content),
        ("behind a small one", picture(codec, 64, 64).items[0].content + first.content),
    ):
        giant.items[0] = replace(first, content=content)
        yield f"AVIF, a giant {name}", giant.encoded(), 400
    giant.items[0] = replace(first, extents=((0, 1),) * 3)
    place = giant.encoded().rindex(b"mdat") + 4
    giant.items[0] = replace(first, extents=((place, 1), (place + 1, 1), (place + 2, len(first.content) - 2)))
    yield "AVIF, a giant in three pieces", giant.encoded(), 413


def packed_bmp() -> bytes:
    """RLE8, every pixel a run of its own, as far as a body goes."""
    runs = b"\1\0" * 2_000_000
    start = 14 + 40 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, 5000, 5000, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + bytes(1024) + runs


KINDS = (tiff_bombs, compressed_bombs, bmp_bombs, item_bombs)
