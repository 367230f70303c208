"""One picture in the kinds of files that are easily read wrongly: colours, masks, frames, samples.

What Pillow cannot write is put together here from the formats' specifications.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from serving import colour
from serving.colour import PRIMARIES, TRANSFERS

from tests.image.encumbered import encumbered, oriented
from tests.image.samples import Sample, encode, png_chunk, tiff_file, with_chunks

Pixels = NDArray[Any]
MASKS = {
    "BGRX": (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    "RGBX": (32, (0xFF, 0xFF00, 0xFF0000, 0)),
    "XRGB": (32, (0xFF000000, 0xFF0000, 0xFF00, 0)),
    "BGRA": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "RGBA": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "10-10-10": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
    "10-10-10-2": (32, (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000)),
    "565": (16, (0xF800, 0x7E0, 0x1F, 0)),
    "565, blue first": (16, (0x1F, 0x7E0, 0xF800, 0)),
    "555": (16, (0x7C00, 0x3E0, 0x1F, 0)),
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)),
}
CURVES = {"linear": 1.0, "1.8": 1.8, "2.2": 2.2, "2.6": 2.6}
SPACES = {1: "sRGB", 9: "Rec. 2020", 12: "Display P3", 10: "XYZ", 4: "NTSC", 22: "EBU"}


def kinds(scene: Image.Image) -> Iterator[Sample]:
    """`scene`, an RGB picture, in every kind."""
    yield from coloured(scene)
    yield from profiled(scene)
    yield from oriented(scene)
    yield from clear(scene)
    yield from masks(scene)
    yield from samples_of_tiff(scene)
    yield from encumbered(scene)


def coloured(scene: Image.Image) -> Iterator[Sample]:
    """Colours by code points and by gamma."""
    for transfer in (13, *sorted(TRANSFERS)):
        for primaries in (1, 9, 12):
            profile = colour.from_code_points(primaries, transfer)
            laid = in_colours(scene, profile) if profile else scene
            name = f"{SPACES[primaries]}, curve {transfer}"
            chunk = (b"cICP", bytes([primaries, transfer, 0, 1]))
            yield Sample(f"PNG, cICP, {name}", "PNG", with_chunks(encode(laid, "PNG"), chunk))
            avif = encode(laid, "AVIF", quality=98, subsampling="4:4:4")
            place = avif.index(b"colrnclx") + 8
            avif = avif[:place] + struct.pack(">HH", primaries, transfer) + avif[place + 4 :]
            yield Sample(f"AVIF, nclx, {name}", "AVIF", avif)
            if primaries != 12:
                yield Sample(f"AVIF, frame, {name}", "AVIF", said_by_frame(avif, primaries, transfer))
    yield from calibrated(scene)
    for gamma in (0.3, 0.55, 1.0):
        for primaries in (0, 1, 9):
            profile = colour.from_gamma(gamma, PRIMARIES.get(primaries))
            laid = in_colours(scene, profile or b"")
            chunks = [(b"gAMA", struct.pack(">I", round(gamma * 1e5)))]
            chunks += [(b"cHRM", chrm(primaries))] if primaries else []
            for mode in ("RGB", "L", "RGBA"):
                name = f"PNG, gAMA {gamma}, {SPACES.get(primaries, 'no cHRM')}, {mode}"
                looks = "other" if mode == "L" else "colour"  # grey of other colours is another grey
                yield Sample(name, "PNG", with_chunks(encode(laid.convert(mode), "PNG"), *chunks), looks)
            srgb = with_chunks(encode(scene, "PNG"), *chunks, (b"sRGB", b"\0"))
            yield Sample(f"PNG, gAMA {gamma}, {SPACES.get(primaries, 'no cHRM')}, sRGB", "PNG", srgb)


def said_by_frame(avif: bytes, primaries: int, transfer: int) -> bytes:
    """The file without a box of colours: its AV1 sequence header says them."""
    avif = avif.replace(b"colrnclx", b"freenclx")
    place = avif.rindex(b"mdat") + 4
    header = f"{int.from_bytes(avif[place : place + 30], 'big'):0240b}"
    at = header.index("1" + f"{1:08b}{13:08b}") + 1
    header = header[:at] + f"{primaries:08b}{transfer:08b}" + header[at + 16 :]
    return avif[:place] + int(header, 2).to_bytes(30, "big") + avif[place + 30 :]


def calibrated(scene: Image.Image) -> Iterator[Sample]:
    """BMP files whose headers say primaries and gammas, or hold a profile."""
    for space in (0, int.from_bytes(b"sRGB", "big"), int.from_bytes(b"Win ", "big"), int.from_bytes(b"LINK", "big")):
        for primaries, gammas in ((9, (2.2, 2.2, 2.2)), (1, (1.0, 1.0, 1.0)), (12, (1.8, 2.2, 2.6)), (0, (2.2,) * 3)):
            curves = [lambda value, gamma=gamma: value**gamma for gamma in gammas]
            profile = colour.written(PRIMARIES[primaries], *curves) if primaries and not space else None
            laid = in_colours(scene, profile) if profile else scene
            ends = [number for x, y in PRIMARIES.get(primaries, ((0, 0),) * 4)[1:] for number in (x, y, 1 - x - y)]
            said = struct.pack("<I9i", space, *(round(2**30 * number) for number in ends))
            said += struct.pack("<3I", *(round(65536 * gamma) for gamma in gammas))
            for header in (108, 124):
                data = bmp(
                    masked(np.asarray(laid.convert("RGBA")), MASKS["BGRX"][1], alpha=False),
                    32,
                    MASKS["BGRX"][1],
                    header,
                )
                data = data[:70] + said + data[70 + len(said) :]
                name = f"{SPACES.get(primaries, 'nothing')}, {gammas[0]}, space {space:x}"
                yield Sample(f"BMP, header of {header}, {name}", "BMP", data)
    for primaries in (9, 12):
        profile = colour.written(PRIMARIES[primaries], lambda value: value**1.8) or b""
        pixels = np.asarray(in_colours(scene, profile).convert("RGBA"))
        data = bmp(masked(pixels, MASKS["BGRX"][1], alpha=False), 32, MASKS["BGRX"][1], 124)
        said = struct.pack("<II", len(data) - 14, len(profile))
        data = data[:70] + b"DEBM" + data[74:126] + said + data[134:] + profile
        yield Sample(f"BMP, a profile of {SPACES[primaries]}", "BMP", data)


def profiled(scene: Image.Image) -> Iterator[Sample]:
    """ICC profiles."""
    options: dict[str, dict[str, Any]] = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}
    options |= {"AVIF": {"quality": 98, "subsampling": "4:4:4"}}
    for primaries, space in SPACES.items():
        for curve, exponent in CURVES.items():
            profile = colour.written(PRIMARIES[primaries], lambda value, e=exponent: value**e)  # type: ignore[misc]
            laid = in_colours(scene, profile or b"")
            for kind in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF"):
                if kind in ("PNG", "JPEG") or primaries in (9, 12):
                    data = encode(laid, kind, icc_profile=profile, **options.get(kind, {}))
                    yield Sample(f"{kind}, ICC, {space}, {curve}", kind, data)


def clear(scene: Image.Image) -> Iterator[Sample]:
    """Transparency, and what an animation shows first."""
    grey = np.asarray(scene.convert("L")).astype(np.uint32)
    for bits in (1, 2, 4, 8, 16):
        most = (1 << bits) - 1
        for key in (0, most):
            values = grey * most // 255
            yield Sample(f"PNG, grey of {bits} bits, {key} clear", "PNG", grey_png(values, bits, key), "other")
    hidden = Image.new("RGB", scene.size, "black")
    for frames in (1, 2):
        more: dict[str, Any] = {"save_all": True, "default_image": True, "append_images": [scene] * frames}
        yield Sample(f"PNG, default image apart, {frames} frames", "PNG", encode(hidden, "PNG", **more))
    for inset in ((0, 0), (7, 9), (20, 0)):
        yield Sample(f"GIF, first frame at {inset}", "GIF", inset_gif(scene, inset), "other")


def masks(scene: Image.Image) -> Iterator[Sample]:
    pixels = np.asarray(scene.convert("RGBA")).copy()
    pixels[:, :, 3] = np.linspace(128, 255, pixels.shape[1])
    for name, (bits, layout) in MASKS.items():
        for header in (40, 56, 108, 124):
            data = bmp(masked(pixels, layout, alpha=header > 40), bits, layout, header)
            looks = "other" if layout[3] and header > 40 else "colour"
            yield Sample(f"BMP, {name}, header of {header}", "BMP", data, looks)


def samples_of_tiff(scene: Image.Image) -> Iterator[Sample]:
    """TIFF of every number of bits that is read, and some that are not."""
    forms = {"grey": np.asarray(scene.convert("L"))[:, :, None], "RGB": np.asarray(scene)}
    forms["CMYK"] = np.asarray(scene.convert("CMYK"))
    photometric = {"grey": 1, "RGB": 2, "CMYK": 5}
    for name, pixels in forms.items():
        for bits in (8, 16, 32):
            for order in ("<", ">"):
                for planar in (1, 2):
                    values = pixels.astype(np.uint64) * (((1 << bits) - 1) // 255)
                    data = tiff_of(values, bits, photometric[name], order, planar)
                    looks = "grey" if name == "grey" else "colour"
                    yield Sample(f"TIFF, {name}, {bits} bits, {order} {planar}", "TIFF", data, looks)
    for bits in (8, 16):
        values = (255 - forms["grey"].astype(np.uint64)) * (((1 << bits) - 1) // 255)
        yield Sample(f"TIFF, white is zero, {bits} bits", "TIFF", tiff_of(values, bits, 0, "<", 1), "grey")
    dots = np.asarray(scene.convert("1"))
    for zero, fill in ((0, 1), (1, 1), (0, 2)):
        rows = np.packbits(dots == (zero == 1), axis=1, bitorder="big" if fill == 1 else "little")
        tags = {256: [dots.shape[1]], 257: [len(dots)], 258: [1], 259: [1], 262: [zero], 266: [fill], 277: [1]}
        tags |= {273: [8], 278: [len(dots)], 279: [rows.size]}
        yield Sample(f"TIFF, fax, white is {zero}, fill order {fill}", "TIFF", tiff_file(tags, rows.tobytes()), "other")
    for code in (50001, 34712, 12345):
        tags = {256: [8], 257: [8], 258: [8], 259: [code], 262: [1], 277: [1], 273: [8], 278: [8], 279: [64]}
        yield Sample(f"TIFF, compressed as {code}", "TIFF", tiff_file(tags, bytes(64)), "other")


def in_colours(scene: Image.Image, profile: bytes) -> Image.Image:
    """The numbers that mean the same in the colours of a profile."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(scene, ImageCms.createProfile("sRGB"), target)
    assert converted is not None
    converted.info = {}  # else Pillow writes the profile
    return converted


def chrm(primaries: int) -> bytes:
    return b"".join(struct.pack(">II", round(x * 1e5), round(y * 1e5)) for x, y in PRIMARIES[primaries])


def grey_png(values: Pixels, bits: int, key: int) -> bytes:
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    else:
        places = np.arange(bits - 1, -1, -1)
        rows = [np.packbits((row[:, None] >> places & 1).astype(np.uint8).reshape(-1)).tobytes() for row in values]
    lines = b"".join(b"\0" + row for row in rows)
    return png_of(values.shape[1], values.shape[0], bits, 0, lines, (b"tRNS", struct.pack(">H", key)))


def png_of(width: int, height: int, bits: int, colours: int, lines: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    all_chunks = (b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in all_chunks)


def bmp(numbers: Pixels, bits: int, masks: tuple[int, ...], header: int) -> bytes:
    """A BMP of bit masks, top row first."""
    height, width = numbers.shape
    size = bits // 8
    rows = np.pad(numbers.astype(f"<u{size}").view(np.uint8).reshape(height, -1), ((0, 0), (0, -width * size % 4)))
    head = struct.pack("<IiiHHIIiiII", header, width, -height, 1, bits, 3, rows.size, 2835, 2835, 0, 0)
    head += struct.pack("<4I", *masks)[: 12 if header == 40 else 16]
    head = head.ljust(header, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + rows.size, 0, 0, 14 + len(head)) + head + rows.tobytes()


def masked(pixels: Pixels, layout: tuple[int, ...], *, alpha: bool) -> Pixels:
    """RGBA [height, width, 4] as numbers cut by masks."""
    numbers = np.zeros(pixels.shape[:2], np.uint64)
    for channel, mask in enumerate(layout):
        low = (mask & -mask).bit_length() - 1
        if mask and (channel < 3 or alpha):
            numbers |= (pixels[:, :, channel].astype(np.uint64) * (mask >> low) + 127) // 255 << low
    return numbers


def inset_gif(scene: Image.Image, place: tuple[int, int]) -> bytes:
    """A GIF whose screen is larger than its frame by 20 × 30."""
    gif = encode(scene.quantize(64), "GIF")
    width, height = scene.size
    frame = gif.index(b",\0\0\0\0" + struct.pack("<HH", width, height))
    larger = gif[:6] + struct.pack("<HH", width + 20, height + 30) + gif[10:]
    return larger[: frame + 1] + struct.pack("<HH", *place) + larger[frame + 5 :]


def tiff_of(values: Pixels, bits: int, photometric: int, order: Any, planar: int) -> bytes:  # noqa: ANN401
    """A TIFF of whole numbers [height, width, channels], chunky or a plane a channel."""
    height, width, channels = values.shape
    laid = values.astype(f"{order}u{bits // 8}")
    planes = [laid] if planar == 1 else [laid[:, :, channel] for channel in range(channels)]
    parts = [plane.tobytes() for plane in planes]
    offsets = [8 + sum(map(len, parts[:index])) for index in range(len(parts))]
    tags = {256: [width], 257: [height], 258: [bits] * channels, 259: [1], 262: [photometric], 277: [channels]}
    tags |= {273: offsets, 278: [height], 279: [len(part) for part in parts], 284: [planar]}
    return tiff_file(tags, b"".join(parts), order)
