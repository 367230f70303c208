"""Bodies of strangers that are no picture, or a picture meant to do harm; each with the answer that is due.

A `bomb` is small as a file, and large or slow for whoever takes its header at its word.
"""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.image.isobmff import CODECS, Item, box, grid, picture, tower
from tests.image.isobmff import animation as animation_of
from tests.image.samples import encode, png, png_chunk, tiff_file

DATA = Path(__file__).with_name("data")
MEGABYTE = 10**6
LIMIT = 4_500_000  # of a body, in bytes: what Lambda's 6 MB hold after base64
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Hostile:
    """An event and the status that answers it."""

    name: str
    event: dict[str, Any]
    status: int


def post(body: bytes | str | None, media_type: str | None = "image/jpeg") -> dict[str, Any]:
    """The event that the gateway makes of a body: bytes of `image/*`, text of all else."""
    return {
        "httpMethod": "POST",
        "headers": {} if media_type is None else {"Content-Type": media_type},
        "queryStringParameters": None,
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def bodies(photo: bytes) -> Iterator[Hostile]:
    """What is no picture, and `photo`, a JPEG, sent in the wrong way."""
    png = encode(Image.linear_gradient("L"), "PNG")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("photo.jpg", photo)
    mangled = photo.decode("utf-8", "replace")
    for name, body, media_type, status in (
        ("nothing", b"", "image/jpeg", 400),
        ("null", None, "image/jpeg", 400),
        ("text", b"a photo of a dog", "image/jpeg", 400),
        ("text, said to be that", "a photo of a dog", "text/plain", 415),
        ("HTML", "<!doctype html><img src=photo.jpg>", "text/html", 415),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 400),
        ("PDF", b"%PDF-1.7\n1 0 obj", "image/jpeg", 400),
        ("PDF, said to be that", b"%PDF-1.7\n1 0 obj", "application/pdf", 415),
        ("zip of a photo", archive.getvalue(), "image/jpeg", 400),
        ("JSON", '{"image": "photo.jpg"}', "application/json", 400),
        ("form", '--b\r\nContent-Disposition: form-data; name="photo"', "multipart/form-data; boundary=b", 400),
        ("photo as base64", base64.b64encode(photo), "image/jpeg", 400),
        ("photo as a data: address", b"data:image/jpeg;base64," + base64.b64encode(photo), "image/jpeg", 400),
        ("photo, mangled into text", mangled, "application/octet-stream", 415),
        ("photo, mangled into text, said to be JPEG", mangled, "image/jpeg", 400),
        ("photo, said to be PNG", photo, "image/png", 200),
        ("photo, said to be text", photo, "text/plain", 200),
        ("photo, said to be nothing", photo, None, 200),
        ("half a JPEG", photo[: len(photo) // 2], "image/jpeg", 200),
        ("half a PNG", png[: len(png) // 2], "image/png", 400),
        ("a video", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "image/jpeg", 400),
        ("noise", np.random.default_rng(0).bytes(100_000), "image/jpeg", 400),
    ):
        yield Hostile(name, post(body, media_type), status)
    whole = post(photo)
    yield Hostile("body that is not base64", whole | {"body": "%%%"}, 400)
    yield Hostile("body that is an object", whole | {"body": {"photo": 1}}, 400)
    yield Hostile("headers missing", {key: value for key, value in whole.items() if key != "headers"}, 200)
    yield Hostile("only method and body", {"httpMethod": "POST", "body": "x"}, 415)
    yield Hostile("only method", {"httpMethod": "POST"}, 400)
    yield Hostile("no API event", {"photo": "photo.jpg"}, 400)
    yield Hostile("another gateway's event", {"version": "2.0", "rawPath": "/"}, 400)


def bombs() -> Iterator[Hostile]:
    """Small files that claim, repeat or unpack to much."""
    made = (*png_bombs(), *jpeg_bombs(), *tiff_bombs(), *other_bombs(), *webp_bombs(), *bmp_bombs(), *item_bombs())
    for name, data, status in made:
        assert len(data) <= LIMIT, f"{name}: {len(data)}"
        yield Hostile(name, post(data), status)


@cache
def unpacking_to(megabytes: int) -> bytes:
    """A zlib stream a thousandth as long as what it unpacks to."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(megabytes)) + packer.flush()


def png_bombs() -> Iterator[tuple[str, bytes, int]]:
    end, pixels = png_chunk(b"IEND", b""), png_chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
    unpacking = png_chunk(b"IDAT", unpacking_to(300))

    def header(width: int, height: int, depth: int = 8) -> bytes:
        return PNG + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))

    def with_chunks(*chunks: bytes) -> bytes:
        return header(8, 8) + b"".join(chunks) + pixels + end

    yield "PNG of 50,000 × 50,000", header(50_000, 50_000, 1) + unpacking + end, 413
    yield "PNG of 2³¹ × 2³¹", header(2**31 - 1, 2**31 - 1) + unpacking + end, 413
    yield "PNG of 1 × 25,000,000", header(1, 25_000_000) + unpacking + end, 413
    yield "PNG, profile of 300 MB", with_chunks(png_chunk(b"iCCP", b"x\0\0" + unpacking_to(300))), 200
    yield "PNG, text of 300 MB", with_chunks(png_chunk(b"zTXt", b"x\0\0" + unpacking_to(300))), 200
    texts = (png_chunk(b"iTXt", b"%d\0\1\0\0\0" % n + unpacking_to(1)) for n in range(1000))
    yield "PNG, 1,000 texts of 1 MB", with_chunks(*texts), 200
    yield "PNG, 200,000 texts", with_chunks(*(png_chunk(b"tEXt", b"%d\0b" % n) for n in range(200_000))), 400
    yield "PNG, 300,000 chunks", with_chunks(png_chunk(b"prVt", b"") * 300_000), 400
    stored = zlib.compress(np.random.default_rng(0).bytes(547 * 548), 0)
    scattered = b"".join(png_chunk(b"IDAT", bytes([byte])) for byte in stored)
    yield "PNG, pixels in 300,000 chunks", header(547, 547) + scattered + end, 400
    yield "PNG, 2,000 frames", animation("PNG"), 200
    profiles = png_chunk(b"iCCP", b"x\0\0" + unpacking_to(3)) * 1000
    yield "PNG, 1,000 profiles of 3 MB", with_chunks(profiles), 200
    for name, size in (("", (5000, 4000)), (", thin", (50_000, 400))):
        turned = Image.Exif()
        turned[0x0112] = 6
        image = Image.new("RGBA", size, (255, 0, 0, 99))
        yield f"PNG, 20 MP{name}, clear and turned", encode(image, "PNG", exif=turned), 200
    deep = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 65_535, 16, 0, 0, 0, 0)) + png_chunk(b"tRNS", b"\0\0")
    rows = png_chunk(b"IDAT", zlib.compress(bytes(3 * 65_535)))
    yield "PNG, 1 × 65,535, 16 bits with a clear value", PNG + deep + rows + end, 200
    yield "PNG, 20 MP, interlaced", png(np.zeros((4000, 5000, 3), np.uint8), interlaced=True), 200


def jpeg_bombs() -> Iterator[tuple[str, bytes, int]]:
    small = encode(Image.new("RGB", (8, 8)), "JPEG")
    place = small.index(b"\xff\xc0") + 5
    giant = small[:place] + struct.pack(">HH", 65_500, 65_500) + small[place + 4 :]
    yield "JPEG of 65,500 × 65,500", giant, 413
    exif = b"\xff\xe1\0\x12Exif\0\0" + bytes(10)
    yield "JPEG, 200,000 parts of EXIF", small[:2] + exif * 200_000 + small[2:], 400
    yield "JPEG, a million segments", small[:2] + b"\xff\xe5\0\2" * 1_000_000 + small[2:], 400
    for name, count, status in (("JPEG, 10,000 scans", 10_000, 400), ("JPEG, 26 scans", 20, 200)):
        progressive = encode(Image.new("L", (5000, 5000), 99), "JPEG", progressive=True)
        scan = progressive[progressive.rindex(b"\xff\xda") : -2]
        yield name, progressive[:-2] + scan * count + progressive[-2:], status
    yield "JPEG, progressive, 50 MP", encode(Image.new("L", (8000, 6250)), "JPEG", progressive=True), 413

    turned = Image.Exif()
    turned[0x0112] = 6
    for mode in ("RGB", "CMYK"):
        thin = encode(Image.new(mode, (65_000, 769)), "JPEG", exif=turned)
        yield f"JPEG, {mode}, 50 MP, thin and turned", thin, 200
    whole = encode(Image.new("L", (8000, 6250)), "JPEG", restart_marker_blocks=1, quality=1)
    yield "JPEG, 780,000 restarts", whole, 200


def tiff_bombs() -> Iterator[tuple[str, bytes, int]]:
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


def overlapping_tiff(count: int) -> bytes:
    usual = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 64, 279: 4096}
    tags = [(tag, 4, 1, value) for tag, value in usual.items()]
    content = bytes(LIMIT - 200 - 12 * count)
    tags += [(1000 + number, 1, len(content), 8) for number in range(count)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(content)) + content + directory


def other_bombs() -> Iterator[tuple[str, bytes, int]]:
    def gif(*parts: bytes, side: int = 8) -> bytes:
        palette = bytes(12)
        return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x81, 0, 0) + palette + b"".join(parts) + b";"

    def frame(side: int = 8) -> bytes:
        # One pixel; what is missing stays as it is.
        return b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2\2\x44\1\0"

    yield "GIF, a screen of 65,535 × 65,535", gif(frame(), side=65_535), 413
    yield "GIF, a frame of 65,535 × 65,535", gif(frame(65_535)), 413
    yield "GIF, 200,000 frames", gif(whole_gif_frame(), frame() * 200_000), 200
    yield "GIF, 800,000 comments", gif(b"!\xfe\1x\0" * 800_000, whole_gif_frame()), 400
    yield "GIF, a comment of 4 MB", gif(b"!\xfe" + (b"\xff" + bytes(255)) * 17_000 + b"\0", whole_gif_frame()), 200
    yield "WebP, 2,000 frames", animation("WEBP"), 200
    for name, data in (("WebP of 16,383 × 16,383", webp(16_383, 16_383)), ("WebP, a canvas of 2²⁴ × 255", canvas())):
        yield name, data, 413
    header = struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, *[0] * 6)
    yield "BMP of 60,000 × 60,000", b"BM" + header, 413
    yield "BMP, two million runs", packed_bmp(), 400
    for kind, name in (("AVIF", "AVIF"), ("HEIF", "HEIC")):
        small = encode(Image.new("L", (64, 64)), kind)
        place = small.index(b"ispe") + 8
        data = small[:place] + struct.pack(">II", 16_000, 16_000) + small[place + 8 :]
        yield f"{name} of 16,000 × 16,000", data, 413


def webp_bombs() -> Iterator[tuple[str, bytes, int]]:
    for size, status in (((4000, 4000), 200), ((16_383, 976), 200), ((5000, 5000), 413)):
        for mode, colour in (("RGB", "red"), ("RGBA", (255, 0, 0, 99))):
            data = encode(Image.new(mode, size, colour), "WEBP", lossless=True)
            yield f"WebP, {mode}, {size[0]} × {size[1]} of one colour", data, status


def bmp_bombs() -> Iterator[tuple[str, bytes, int]]:
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


def item_bombs() -> Iterator[tuple[str, bytes, int]]:
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
    yield "AVIF, ten million samples", animation_of(10_000_000), 400


def animation(kind: str) -> bytes:
    frames = [Image.new("L", (8, 8), number % 256) for number in range(2000)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


def whole_gif_frame() -> bytes:
    data = encode(Image.new("P", (8, 8)), "GIF")
    return data[data.index(b",") : -1]


def webp(width: int, height: int) -> bytes:
    """A lossless WebP of that size with no more than a header of pixels."""
    size = (width - 1 | height - 1 << 14).to_bytes(4, "little")
    chunk = b"VP8L" + struct.pack("<I", 6) + b"\x2f" + size + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def canvas() -> bytes:
    """An animated WebP of a large canvas with one little frame."""
    extended = bytes([2, 0, 0, 0]) + (2**24 - 1).to_bytes(3, "little") + (254).to_bytes(3, "little")
    pixels = webp(8, 8)[12:]
    frame = bytes(6) + (7).to_bytes(3, "little") * 2 + bytes(4) + pixels
    chunks = (b"VP8X", extended), (b"ANIM", bytes(6)), (b"ANMF", frame)
    body = b"".join(name + struct.pack("<I", len(content)) + content for name, content in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def packed_bmp() -> bytes:
    """RLE8, every pixel a run of its own, as far as a body goes."""
    runs = b"\1\0" * 2_000_000
    start = 14 + 40 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, 5000, 5000, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + bytes(1024) + runs
