"""One picture in every form in which users send pictures.

Pillow writes most of them; what it cannot write is put together here from the formats' specifications.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pi_heif
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

pillow_heif.register_heif_opener()
pi_heif.register_heif_opener()  # which decodes for the handler and the client, but cannot encode

# How a picture lies in the file when EXIF says that number: the inverse of the turn that makes it upright.
LAID = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
ORIENTATION = 0x0112
TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd", "jpeg")
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


@dataclass(frozen=True)
class Sample:
    """A file. `looks` says what a person sees in it: the scene in "colour", in "grey", or "other"."""

    name: str
    kind: str
    data: bytes
    looks: str = "colour"


def samples(scene: Image.Image) -> Iterator[Sample]:
    """`scene`, an RGB picture, in every form and size; first of all as a plain PNG."""
    yield from forms(scene)
    for width, height in ((4032, 3024), (8000, 6000)):
        large = encode(scene.resize((width, height), Image.Resampling.BICUBIC), "JPEG", quality=75)
        yield Sample(f"JPEG of {width * height / 1e6:.0f} megapixels", "JPEG", large)


def forms(scene: Image.Image) -> Iterator[Sample]:
    """`scene` in every form."""
    yield from pngs(scene)
    yield from jpegs(scene)
    yield from tiffs(scene)
    yield from others(scene)
    for width, height in ((1, 1), (1, 5000), (5000, 1)):
        for kind in ("PNG", "JPEG"):
            data = encode(Image.new("RGB", (width, height), "red"), kind)
            yield Sample(f"{kind} of {width} × {height}", kind, data, "other")


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pngs(scene: Image.Image) -> Iterator[Sample]:
    grey, other = scene.convert("L"), Image.new("RGB", scene.size, "black")
    deep = np.asarray(scene).astype(np.uint16) * 257
    yield Sample("PNG", "PNG", encode(scene, "PNG"))
    yield Sample("PNG, grey", "PNG", encode(grey, "PNG"), "grey")
    yield Sample("PNG, grey, 16 bits", "PNG", encode(deep_grey(grey), "PNG"), "grey")
    yield Sample("PNG, black and white", "PNG", encode(scene.convert("1"), "PNG"), "other")
    yield Sample("PNG, palette", "PNG", encode(palette(scene), "PNG"))
    yield Sample("PNG, palette, one colour clear", "PNG", encode(palette(scene), "PNG", transparency=255))
    yield Sample("PNG, alpha", "PNG", encode(on_glass(scene), "PNG"))
    yield Sample("PNG, grey and alpha", "PNG", encode(grey.convert("LA"), "PNG"), "grey")
    yield Sample("PNG, 16 bits", "PNG", png(deep))
    yield Sample("PNG, 16 bits, interlaced", "PNG", png(deep, interlaced=True))
    yield Sample("PNG, interlaced", "PNG", png(np.asarray(scene), interlaced=True))
    yield Sample("PNG, animated", "PNG", encode(scene, "PNG", save_all=True, append_images=[other]))


def jpegs(scene: Image.Image) -> Iterator[Sample]:
    fine = {"quality": 95, "subsampling": 0}
    yield Sample("JPEG", "JPEG", encode(scene, "JPEG", **fine))
    yield Sample("JPEG, progressive", "JPEG", encode(scene, "JPEG", progressive=True, **fine))
    yield Sample("JPEG, grey", "JPEG", encode(scene.convert("L"), "JPEG", **fine), "grey")
    # As Adobe does it, and Pillow after it: inverted.
    yield Sample("JPEG, CMYK", "JPEG", encode(scene.convert("CMYK"), "JPEG", **fine))
    yield Sample("JPEG, restart markers", "JPEG", encode(scene, "JPEG", restart_marker_blocks=2, **fine))
    other = Image.new("RGB", scene.size, "black")
    yield Sample("JPEG, several pictures", "JPEG", encode(scene, "MPO", save_all=True, append_images=[other], **fine))
    for orientation in LAID:
        yield Sample(f"JPEG, turned: {orientation}", "JPEG", turned(scene, "JPEG", orientation, **fine))
    whole = encode(scene, "JPEG", **fine)
    yield Sample("JPEG, cut short", "JPEG", whole[: len(whole) * 9 // 10], "other")


def tiffs(scene: Image.Image) -> Iterator[Sample]:
    grey, cmyk = scene.convert("L"), scene.convert("CMYK")
    for compression in TIFF_COMPRESSIONS:
        options: dict[str, Any] = {"quality": 95} if compression == "jpeg" else {}
        data = encode(scene, "TIFF", compression=compression, **options)
        yield Sample(f"TIFF, {compression.removeprefix('tiff_').replace('_', ' ')}", "TIFF", data)
    yield Sample("TIFF, grey", "TIFF", encode(grey, "TIFF"), "grey")
    yield Sample("TIFF, grey, 16 bits", "TIFF", encode(deep_grey(grey), "TIFF"), "grey")
    floats = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    yield Sample("TIFF, grey, floats", "TIFF", encode(floats, "TIFF"), "grey")
    yield Sample("TIFF, fax", "TIFF", encode(scene.convert("1"), "TIFF", compression="group4"), "other")
    yield Sample("TIFF, CMYK", "TIFF", encode(cmyk, "TIFF"))
    yield Sample("TIFF, CMYK, 16 bits", "TIFF", tiff(np.asarray(cmyk).astype(np.uint16) * 257, photometric=5))
    yield Sample("TIFF, LAB", "TIFF", encode(scene.convert("LAB"), "TIFF"))
    yield Sample("TIFF, alpha", "TIFF", encode(on_glass(scene), "TIFF"))
    yield Sample("TIFF, palette", "TIFF", encode(palette(scene), "TIFF"))
    deep = np.asarray(scene).astype(np.uint16) * 257
    yield Sample("TIFF, 16 bits", "TIFF", tiff(deep))
    yield Sample("TIFF, 16 bits, big-endian", "TIFF", tiff(deep, order=">"))
    yield Sample("TIFF, tiles", "TIFF", tiff(np.asarray(scene), tile=64))
    yield Sample("TIFF, BigTIFF", "TIFF", encode(scene, "TIFF", big_tiff=True))
    other = Image.new("RGB", scene.size, "black")
    yield Sample("TIFF, several pages", "TIFF", encode(scene, "TIFF", save_all=True, append_images=[other]))
    yield Sample("TIFF, turned", "TIFF", turned(scene, "TIFF", 6))


def others(scene: Image.Image) -> Iterator[Sample]:
    other = Image.new("RGB", scene.size, "black")
    more: dict[str, Any] = {"save_all": True, "append_images": [other]}
    for kind, title, options in (
        ("WEBP", "WebP", {"quality": 95}),
        ("WEBP", "WebP, lossless", {"lossless": True}),
        ("WEBP", "WebP, animated", {"lossless": True, **more}),
        ("GIF", "GIF", {}),
        ("GIF", "GIF, animated", more),
        ("BMP", "BMP", {}),
        ("AVIF", "AVIF", {"quality": 95, "subsampling": "4:4:4"}),
        ("AVIF", "AVIF, animated", {"quality": 95, "subsampling": "4:4:4", **more}),
        ("HEIF", "HEIC", {"quality": 95}),
        ("HEIF", "HEIC, several pictures", {"quality": 95, **more}),
    ):
        yield Sample(title, kind, encode(scene, kind, **options))
    glass = on_glass(scene)
    yield Sample("WebP, alpha", "WEBP", encode(glass, "WEBP", lossless=True))
    yield Sample("WebP, turned", "WEBP", turned(scene, "WEBP", 6, lossless=True), "other")
    yield Sample("GIF, one colour clear", "GIF", encode(palette(scene), "GIF", transparency=255))
    yield Sample("BMP, palette", "BMP", encode(palette(scene), "BMP"))
    yield Sample("BMP, grey", "BMP", encode(scene.convert("L"), "BMP"), "grey")
    yield Sample("AVIF, alpha", "AVIF", encode(glass, "AVIF", quality=95, subsampling="4:4:4"))
    yield Sample("AVIF, turned", "AVIF", turned(scene, "AVIF", 6, quality=95, subsampling="4:4:4"))
    yield Sample("AVIF, called mif1", "AVIF", branded(encode(scene, "AVIF", quality=95)))
    yield Sample("HEIC, alpha", "HEIF", encode(glass, "HEIF", quality=95))
    yield Sample("HEIC, turned", "HEIF", turned(scene, "HEIF", 6, quality=95))
    yield Sample("HEIC, grey, 10 bits", "HEIF", encode(deep_grey(scene.convert("L")), "HEIF", quality=95), "grey")
    yield Sample("HEIC, called mif1", "HEIF", branded(encode(scene, "HEIF", quality=95)))


def deep_grey(grey: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)


def palette(scene: Image.Image) -> Image.Image:
    """In 255 colours, so that the 256th is free to be the clear one."""
    return scene.quantize(255, method=Image.Quantize.MEDIANCUT)


def on_glass(scene: Image.Image) -> Image.Image:
    """RGBA that looks like `scene` over white: each pixel as clear as it can be."""
    pixels = np.asarray(scene).astype(np.float64)
    alpha = 255 - pixels.min(axis=2, keepdims=True)
    colours = 255 - (255 - pixels) * 255 / np.maximum(alpha, 1)
    return Image.fromarray(np.concatenate([colours, alpha], axis=2).round().astype(np.uint8))


def turned(scene: Image.Image, kind: str, orientation: int, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    """A file in which the scene lies as its EXIF says."""
    turn = LAID[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(scene.transpose(turn) if turn is not None else scene, kind, exif=exif.tobytes(), **options)


def branded(data: bytes, brand: bytes = b"mif1") -> bytes:
    """An ISO media file whose major brand is another; the compatible ones stay."""
    return data[:8] + brand + data[12:]


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunks(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with more chunks behind its header."""
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def png(pixels: NDArray[Any], *, interlaced: bool = False) -> bytes:
    """An RGB picture [height, width, 3] of 8 or 16 bits: https://www.w3.org/TR/png-3/."""
    height, width, _ = pixels.shape
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = (row for y, x, dy, dx in passes for row in pixels[y::dy, x::dx] if row.size)
    big_endian = pixels.dtype.newbyteorder(">")
    lines = b"".join(b"\0" + row.astype(big_endian).tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, pixels.itemsize * 8, 2, 0, 0, interlaced)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def tiff(pixels: NDArray[Any], *, order: Literal["<", ">"] = "<", photometric: int = 2, tile: int = 0) -> bytes:
    """A picture [height, width, channels] of 8 or 16 bits, in one strip or in square tiles: TIFF 6.0."""
    height, width, channels = pixels.shape
    laid = pixels.astype(pixels.dtype.newbyteorder(order))
    if tile:
        padded = np.pad(laid, ((0, -height % tile), (0, -width % tile), (0, 0)))
        down, across = padded.shape[0] // tile, padded.shape[1] // tile
        pieces = padded.reshape(down, tile, across, tile, channels).swapaxes(1, 2).reshape(down * across, -1)
        parts = [piece.tobytes() for piece in pieces]
    else:
        parts = [laid.tobytes()]
    offsets = [8 + sum(map(len, parts[:index])) for index in range(len(parts))]
    counts = [len(part) for part in parts]
    tags: dict[int, list[int]] = {256: [width], 257: [height], 258: [8 * pixels.itemsize] * channels, 259: [1]}
    tags |= {262: [photometric], 277: [channels]}
    tags |= (
        {322: [tile], 323: [tile], 324: offsets, 325: counts} if tile else {273: offsets, 278: [height], 279: counts}
    )
    return tiff_file(tags, b"".join(parts), order)


def tiff_file(tags: dict[int, list[int]], content: bytes, order: Literal["<", ">"] = "<") -> bytes:
    """A TIFF file of one directory, all of whose values are 32-bit numbers; `content` begins at byte 8."""
    start = 8 + len(content)
    after = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, numbers in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            packed, values = struct.pack(f"{order}I", after + len(values)), values + packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + packed
    magic = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    return magic + content + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values
