"""Bombs of the formats that are decoded in the function process itself: PNG, JPEG, GIF, WebP, and colour profiles.

A bomb is small as a file, and large or slow for whoever takes its header at its word.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image

from tests.image.samples import encode, png, png_chunk

MEGABYTE = 10**6
LIMIT = 4_500_000  # of a body, in bytes: what Lambda's 6 MB hold after base64
PNG = b"\x89PNG\r\n\x1a\n"
Bombs = Iterator[tuple[str, bytes, int]]
"""Name, file, and the status that answers it."""


@cache
def unpacking_to(megabytes: int) -> bytes:
    """A zlib stream a thousandth as long as what it unpacks to."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(megabytes)) + packer.flush()


def png_bombs() -> Bombs:
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
    overlapping = b"MM\0*\0\0\0\x08" + struct.pack(">H", 60_000)
    overlapping += b"".join(struct.pack(">HHII", number, 1, 3_000_000, 8) for number in range(60_000))
    yield (
        "PNG, 60,000 tags of EXIF over the same 3 MB",
        with_chunks(png_chunk(b"eXIf", overlapping.ljust(4_000_000))),
        200,
    )
    for size, status in (((5000, 4000), 413), ((4000, 4000), 200)):
        yield f"PNG, an animation apart from its {size[0]} × {size[1]} pixels", animation_apart(*size), status
    yield "PNG, 50,000 frames", with_chunks(*(frame_of_one(number) for number in range(50_000))), 400


def animation_apart(width: int, height: int) -> bytes:
    """An APNG whose first frame comes behind the picture for those who know no animations."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    pixels = zlib.compress(bytes((4 * width + 1) * height), 9)
    parts = [PNG, header, png_chunk(b"acTL", struct.pack(">II", 2, 0)), png_chunk(b"IDAT", pixels)]
    for number in (0, 2):
        frame = struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 1, 1)
        parts += png_chunk(b"fcTL", frame), png_chunk(b"fdAT", struct.pack(">I", number + 1) + pixels)
    return b"".join(parts) + png_chunk(b"IEND", b"")


def frame_of_one(number: int) -> bytes:
    head = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * number, 1, 1, 0, 0, 1, 10, 0, 0))
    return head + png_chunk(b"fdAT", struct.pack(">I", 2 * number + 1) + zlib.compress(bytes(2)))


def jpeg_bombs() -> Bombs:
    small = encode(Image.new("RGB", (8, 8)), "JPEG")
    place = small.index(b"\xff\xc0") + 5
    giant = small[:place] + struct.pack(">HH", 65_500, 65_500) + small[place + 4 :]
    yield "JPEG of 65,500 × 65,500", giant, 413
    exif = b"\xff\xe1\0\x12Exif\0\0" + bytes(10)
    yield "JPEG, 200,000 parts of EXIF", small[:2] + exif * 200_000 + small[2:], 400
    yield "JPEG, a million segments", small[:2] + b"\xff\xe5\0\2" * 1_000_000 + small[2:], 400
    progressive = encode(Image.new("L", (5000, 5000), 99), "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    for name, count, status in (("JPEG, 10,000 scans", 10_000, 400), ("JPEG, 26 scans", 20, 200)):
        yield name, progressive[:-2] + scan * count + progressive[-2:], status
    # TEM has no length: what seems to be one would hide 64 kB from who counts.
    for marker in (b"\xff\x01", b"\xff\xff\x01", b"\xff\xd0", b"\xff\xd7"):
        hidden = (marker + b"\xff\xff" + scan * (65_533 // len(scan))).ljust(65_535, b"\0") * 3
        yield f"JPEG, scans behind {marker.hex(' ')}", progressive[:-2] + hidden + progressive[-2:], 400
    yield "JPEG, progressive, 50 MP", encode(Image.new("L", (8000, 6250)), "JPEG", progressive=True), 413

    turned = Image.Exif()
    turned[0x0112] = 6
    for mode in ("RGB", "CMYK"):
        thin = encode(Image.new(mode, (65_000, 769)), "JPEG", exif=turned)
        yield f"JPEG, {mode}, 50 MP, thin and turned", thin, 200
    whole = encode(Image.new("L", (8000, 6250)), "JPEG", restart_marker_blocks=1, quality=1)
    yield "JPEG, 780,000 restarts", whole, 200


def profile_bombs() -> Bombs:
    """ICC.1:2022; the tables of stages are in 9.2.17 and 10.16."""
    stage = struct.pack(">4s4xHH12f", b"matf", 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    small, photo = Image.new("RGB", (8, 8)), Image.new("RGB", (65_000, 769), (9, 99, 9))
    for count in (1000, 50_000):
        places = struct.pack(">II", 16 + 8 * count, len(stage)) * count
        staged = profile(b"RGB ", D2B0=struct.pack(">4s4xHHI", b"mpet", 3, 3, count) + places + stage, A2B0=table(3, 2))
        yield f"PNG, a profile of the same stage {count} times", encode(small, "PNG", icc_profile=staged), 200
        for kind in (b"link", b"abst", b"nmcl"):
            other = staged[:12] + kind + staged[16:]
            yield f"JPEG, the same, {kind.decode()}", encode(small, "JPEG", icc_profile=other), 200
    yield (
        "JPEG, 50 MP, thin, a profile of a table",
        encode(photo, "JPEG", icc_profile=profile(b"RGB ", A2B0=table(3, 33))),
        200,
    )
    ink = encode(Image.new("CMYK", photo.size, (9, 99, 9, 9)), "JPEG", icc_profile=profile(b"CMYK", A2B0=table(4, 9)))
    yield "JPEG, CMYK, 50 MP, thin, a profile of a table", ink, 200
    curve = struct.pack(">4s4xI", b"curv", 1_900_000) + bytes(3_800_000)
    curved = profile(b"GRAY", kTRC=curve, wtpt=struct.pack(">4s4x3i", b"XYZ ", 63_190, 65_536, 54_061))
    yield "PNG, a profile of a curve of 4 MB", encode(Image.new("L", (8, 8)), "PNG", icc_profile=curved), 200


def profile(space: bytes, **tags: bytes) -> bytes:
    """An ICC profile of a printer with these tags."""
    place, entries, content = 132 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        entries += struct.pack(">4sII", name.encode(), place + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s28x", place + len(content), 0x04200000, b"prtr", space, b"XYZ ", b"acsp")
    header += struct.pack(">3i", 63_190, 65_536, 54_061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + content


def table(channels: int, side: int) -> bytes:
    """A table of so many points a channel (`mft2`)."""
    curve = struct.pack(">HH", 0, 65_535)
    head = struct.pack(">4s4x4B9iHH", b"mft2", channels, 3, side, 0, 65_536, 0, 0, 0, 65_536, 0, 0, 0, 65_536, 2, 2)
    points = np.random.default_rng(0).integers(0, 65_535, 3 * side**channels)
    return b"".join((head, curve * channels, points.astype(">u2").tobytes(), curve * 3))


def gif_bombs() -> Bombs:
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
    clear = b"\2" + (b"\xff" + b"\x24\x49\x92" * 85) * 15_000 + b"\0"
    yield "GIF, 4 MB of clear codes", gif(b"," + struct.pack("<HHHHB", 0, 0, 4000, 4000, 0) + clear, side=4000), 400
    yield "GIF, a comment of 4 MB", gif(b"!\xfe" + (b"\xff" + bytes(255)) * 17_000 + b"\0", whole_gif_frame()), 200


def webp_bombs() -> Bombs:
    yield "WebP, 2,000 frames", animation("WEBP"), 200
    for name, data in (("WebP of 16,383 × 16,383", webp(16_383, 16_383)), ("WebP, a canvas of 2²⁴ × 255", canvas())):
        yield name, data, 413
    small = encode(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    yield "WebP, 80,000 frames", animated_webp(1, 1, small, 80_000), 200
    large = encode(Image.new("RGBA", (4000, 4000), (255, 0, 0, 9)), "WEBP", lossless=True)
    yield "WebP, 1,000 frames of 16 MP", animated_webp(4000, 4000, large[large.index(b"VP8L") :], 1000), 200
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(10)
    yield "WebP, 500,000 chunks", riff(extended + b"junk\0\0\0\0" * 500_000 + small), 200
    for size, status in (((4000, 4000), 200), ((16_383, 976), 200), ((5000, 5000), 413)):
        for mode, colour in (("RGB", "red"), ("RGBA", (255, 0, 0, 99))):
            data = encode(Image.new(mode, size, colour), "WEBP", lossless=True)
            yield f"WebP, {mode}, {size[0]} × {size[1]} of one colour", data, status


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
    return riff(chunk)


def canvas() -> bytes:
    """An animated WebP of a large canvas with one little frame."""
    return animated_webp(2**24, 255, webp(8, 8)[12:], 1, frame=(8, 8))


def animated_webp(width: int, height: int, pixels: bytes, count: int, frame: tuple[int, int] | None = None) -> bytes:
    """`count` times the same frame, of the size of the canvas or another."""

    def size(*sides: int) -> bytes:
        return b"".join((side - 1).to_bytes(3, "little") for side in sides)

    content = bytes(6) + size(*(frame or (width, height))) + bytes(4) + pixels
    shown = b"ANMF" + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([0x12, 0, 0, 0]) + size(width, height)
    return riff(extended + b"ANIM" + struct.pack("<I", 6) + bytes(6) + shown * count)


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


KINDS = (png_bombs, jpeg_bombs, profile_bombs, gif_bombs, webp_bombs)
