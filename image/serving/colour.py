"""What colours a picture's numbers mean, and from there to sRGB, in which models see and browsers show.

A file says it by an ICC profile, by PNG's `gAMA` and `cHRM`, or by the code points of ITU-T H.273 (PNG's `cICP`, `nclx`
in AVIF and HEIC). All of it becomes an ICC profile, for which LittleCMS has the arithmetic; those that a file only
describes are written here. Nothing of this module is loaded for a picture that is sRGB without saying more.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, cast

from PIL import Image, ImageCms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Chromaticities = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""x and y of white, red, green and blue."""

D65 = 0.3127, 0.3290
SRGB: Chromaticities = D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)
# H.273, table 2. What is not here is rare, or unspecified: then browsers take it for sRGB.
PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    4: ((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: ((0.310, 0.316), (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    10: ((1 / 3, 1 / 3), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: (D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
D50 = 0.9642, 1.0, 0.8249  # the profile connection space's white: ICC.1:2022, 7.2.16
BRADFORD = (0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)
WHITE = 203.0  # cd/m² of what is as white as paper in PQ and HLG, and clipped above: ITU-R BT.2408
POINTS = 4096
PIXELS = {"RGB": ("RGB", "RGBA", "RGBX"), "GRAY": ("L", "LA"), "CMYK": ("CMYK",)}  # what a profile may belong to

CLASSES = {b"scnr", b"mntr", b"prtr", b"spac"}  # of devices and spaces; links and named colours belong to no picture

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


def from_gamma(gamma: float | None, chromaticities: Chromaticities | None) -> bytes | None:
    """The profile for PNG's `gAMA` (as an exponent, 0.45455 for sRGB) and `cHRM`."""
    if gamma is None or not 0.01 < gamma < 10:
        return None  # `cHRM` alone says nothing: so Chromium has it
    if abs(gamma - 1 / 2.2) < 0.001 and chromaticities in (None, SRGB):
        return None  # what nearly every old file says, and means sRGB with
    return written(chromaticities or SRGB, lambda value: cast("float", value ** (1 / gamma)))


def from_calibration(ends: tuple[tuple[float, float], ...], gammas: tuple[float, ...]) -> bytes | None:
    """The profile for BMP's endpoints and gammas, each of red, green and blue; white is sRGB's, as browsers have it."""
    if not all(0.01 < gamma < 100 for gamma in gammas):
        return None
    curves = [lambda value, gamma=gamma: value**gamma for gamma in gammas]
    return written(cast("Chromaticities", (D65, *ends)), *curves)


def from_code_points(primaries: int, transfer: int, *, video: bool = False) -> bytes | None:
    """The profile for H.273's numbers; None for sRGB and what does not say enough.

    `video`: BT.709's curve and its like are those of a video display, not sRGB's. Browsers have it so in PNG alone.
    """
    curve = TRANSFERS.get(transfer)
    if video and transfer in VIDEO:
        curve = _video
    elif (video and curve is None and transfer != 13) or (curve is None and primaries in (1, 2)):
        return None
    return written(PRIMARIES.get(primaries, SRGB), curve or _srgb)


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """`image` in RGB, or RGBA if it has an alpha channel; as it is where the profile is broken or not for it."""
    mode = "RGBA" if image.mode == "LA" else "RGB" if image.mode == "L" else image.mode
    if (transform := _transform(profile, mode)) is not None:
        image = image.convert(mode)  # grey with a profile of colours is a colour each
    elif (transform := _transform(profile, image.mode)) is None:
        return image
    if image.mode == "LA":
        seen = cast("Image.Image", ImageCms.applyTransform(image.getchannel("L"), transform))
        seen.putalpha(image.getchannel("A"))
        return seen
    return cast("Image.Image", ImageCms.applyTransform(image, transform))


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(_without_stages(profile)))
        space = source.profile.xcolor_space.strip()
        if mode not in PIXELS.get(space, ()) or profile[12:16] not in CLASSES:
            return None
        target = ImageCms.createProfile("sRGB")
        taken = {"LA": "L", "RGBX": "RGB"}.get(mode, mode)
        given = "RGBA" if mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(source, target, taken, given)
        if taken == given and _changes_nothing(transform, taken):
            return None
    # Whatever a stranger's profile makes of LittleCMS: browsers show the picture without it.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error):
        return None
    return transform


def _without_stages(profile: bytes) -> bytes:
    """The profile without the tables of any number of stages (`D2B0` and its like): ICC.1:2022, 9.2.

    A kilobyte of them keeps LittleCMS busy for a minute. Browsers know none, and every profile has others to go by.
    """
    kept = bytearray(profile)
    (count,) = struct.unpack_from(">I", profile, 128)
    for place in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        if kept[place : place + 3] == b"D2B":
            kept[place] = ord("x")  # a name that nobody looks for; those of a file must differ
    return bytes(kept)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether the profile is sRGB under one of its many names, which most cameras and phones write."""
    steps = range(0, 256, 51)
    colours = b"".join(bytes((r, g, b, 255)[: len(mode)]) for r in steps for g in steps for b in steps)
    cube = Image.frombytes(mode, (36, 6), colours)
    converted = cast("Image.Image", ImageCms.applyTransform(cube, transform)).tobytes()
    return all(abs(one - other) <= 2 for one, other in zip(colours, converted, strict=True))


def written(chromaticities: Chromaticities, *curves: Callable[[float], float]) -> bytes | None:
    """An ICC profile (v2, matrix and curves) with these primaries.

    Each of `curves`, one for all or three, maps 0…1 to linear light, 1 is white. None for primaries that span no
    triangle. ICC.1:2001-04, 6.3.1.2.
    """
    try:
        columns = _colorants(chromaticities)
    except ZeroDivisionError:
        return None
    names = (b"rTRC", b"gTRC", b"bTRC")
    tags = {b"wtpt": _xyz(D50)}
    tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    tags |= dict(zip(names, map(_trc, curves), strict=False))
    place, entries, content = 128 + 4 + 12 * (len(tags) + 3 - len(curves)), b"", b""
    for name, value in tags.items():
        for alias in names if len(curves) == 1 and name == names[0] else (name,):
            entries += struct.pack(">4sII", alias, place + len(content), len(value))
        content += value
    header = struct.pack(">I4xI4s4s4s12x4s28x", place + len(content), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    header += struct.pack(">3i", *(round(65536 * value) for value in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(entries) // 12) + entries + content


def _trc(curve: Callable[[float], float]) -> bytes:
    table = [max(0.0, min(1.0, curve(point / (POINTS - 1)))) for point in range(POINTS)]
    return struct.pack(f">4s4xI{POINTS}H", b"curv", POINTS, *(round(65535 * value) for value in table))


def _colorants(chromaticities: Chromaticities) -> list[Vector]:
    """XYZ of red, green and blue at full light, adapted to D50 as ICC.1:2022, annex E has it."""
    white, *primaries = (_to_xyz(*point) for point in chromaticities)
    shares = _solve(_transposed(primaries), white)
    cones, wanted = _times(BRADFORD, white), _times(BRADFORD, D50)
    adapted = []
    for primary, share in zip(primaries, shares, strict=True):
        seen = _times(BRADFORD, cast("Vector", tuple(share * value for value in primary)))
        scaled = cast("Vector", tuple(one * to / fro for one, to, fro in zip(seen, wanted, cones, strict=True)))
        adapted.append(_solve(BRADFORD, scaled))
    return adapted


def _to_xyz(x: float, y: float) -> Vector:
    return (x / y, 1.0, (1 - x - y) / y) if y else (x, y, 1 - x - y)


def _xyz(value: Vector) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(max(-(2**31), min(2**31 - 1, round(65536 * part))) for part in value))


def _transposed(rows: Sequence[Vector]) -> Matrix:
    return cast("Matrix", tuple(zip(*rows, strict=True)))


def _times(matrix: Matrix, vector: Vector) -> Vector:
    return cast("Vector", tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix))


def _solve(matrix: Matrix, vector: Vector) -> Vector:
    """By Cramer's rule."""
    whole = _determinant(matrix)
    columns = _transposed(matrix)
    replaced = ([vector if at == column else columns[at] for at in range(3)] for column in range(3))
    return cast("Vector", tuple(_determinant(cast("Matrix", tuple(one))) / whole for one in replaced))


def _determinant(matrix: Matrix) -> float:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _video(value: float) -> float:
    return float(value**2.4)  # ITU-R BT.1886


def _smpte240(value: float) -> float:
    return value / 4 if value < 0.0912 else float(((value + 0.1115) / 1.1115) ** (1 / 0.45))


def _pq(value: float) -> float:
    """SMPTE ST 2084."""
    root = value ** (1 / 78.84375)
    return float(10_000 / WHITE * (max(0.0, root - 0.8359375) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125))


def _hlg(value: float) -> float:
    """ITU-R BT.2100 on a display of 1,000 cd/m²."""
    from math import exp

    scene = value * value / 3 if value <= 0.5 else (exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(1000 / WHITE * scene**1.2)


TRANSFERS: dict[int, Callable[[float], float]] = {
    4: lambda value: float(value**2.2),
    5: lambda value: float(value**2.8),
    7: _smpte240,
    8: lambda value: value,
    16: _pq,
    17: lambda value: float(value**2.6 * 52.37 / 48),
    18: _hlg,
}
"""To linear light, by H.273's table 3."""
VIDEO = {1, 6, 11, 14, 15}
