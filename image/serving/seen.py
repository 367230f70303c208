"""Decoded pixels → what a person sees: upright, sRGB, transparent parts over white."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import isfinite
from typing import cast

from PIL import Image, ImageChops

STRIP = 500_000  # pixels
ORIENTATION, SHORT = 0x0112, 3  # EXIF 2.3, 4.6.4 A
EXIF_NAME = b"Exif\0\0"
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the numbers of a picture mean, where Pillow does not know it itself."""

    profile: bytes | None = None  # ICC; None is sRGB
    white: float | None = None  # of grey in 16 bits, 32 bits or floats
    inverted: bool = False
    key: tuple[int, ...] = ()  # the colour that is clear, in samples of `bits`
    bits: int = 8


PLAIN = Meaning()


def as_seen(image: Image.Image, factor: int = 1, meaning: Meaning = PLAIN, turn: int | None = None) -> Image.Image:
    """The picture as a person sees it: upright by its EXIF orientation, RGB, transparent parts over white.

    `factor` makes it that many times smaller (means of factor × factor pixels); `turn` is the orientation, if it is
    known already. What this returns stays as it is when it is passed in again.
    """
    turn = orientation(image) if turn is None else turn
    if factor > 1 or image.mode != "RGB" or "transparency" in image.info or meaning != PLAIN:
        image = _rgb(image, factor, meaning)
    return turned(image, turn)


def turned(image: Image.Image, turn: int) -> Image.Image:
    """The picture upright, of which EXIF says that orientation."""
    turning = UPRIGHT.get(turn)
    if turning is not None:
        image = image.transpose(turning)
        image.info = {}  # else the copy says that it is still to be turned
    return image


def orientation(image: Image.Image) -> int:
    """By EXIF alone: what stands in XMP is for editors, and no viewer goes by it."""
    image.load()  # TIFF and PNG know it only after; TIFF then has turned itself
    for name in ("xmp", "XML:com.adobe.xmp", "Raw profile type xmp"):
        image.info.pop(name, None)
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001  EXIF is as hostile as the rest, and no reason to refuse a picture
        return 1


def exif_orientation(exif: bytes) -> int:
    """The orientation that a block of EXIF says; 1 where it says none: of that type and number, as browsers want it."""
    _, _, tiff = exif.partition(EXIF_NAME)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (place,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, place)
        for number in range(count):
            tag, kind, amount, value = struct.unpack_from(f"{order}HHIH", tiff, place + 2 + 12 * number)
            if (tag, kind, amount) == (ORIENTATION, SHORT, 1) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass  # it breaks off
    return 1


def on_white(image: Image.Image) -> Image.Image:
    """RGB of RGBA."""
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _rgb(image: Image.Image, factor: int, meaning: Meaning) -> Image.Image:
    # Row by row in strips: the copies that converting takes would be the most of a large picture's memory.
    white = _white(image, meaning)
    width, height = image.size
    seen = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, STRIP // (factor * width))
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        seen.paste(_flat(strip, white, meaning, factor), (0, top // factor))
    return seen


def _flat(image: Image.Image, white: float | None, meaning: Meaning, factor: int) -> Image.Image:
    mask = _opaque(image, meaning.key, meaning.bits) if meaning.key else None
    if white is not None:
        image = _from_deep_grey(image, white)
    if meaning.inverted:
        image = ImageChops.invert(image)
    if mask is not None:
        image = image.convert("L" if len(meaning.key) == 1 else "RGB")
        image.putalpha(mask)
    elif image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode == "1" or (image.mode in ("RGBa", "La")):
        image = image.convert({"1": "L", "RGBa": "RGBA", "La": "LA"}[image.mode])
    if not image.has_transparency_data:
        image = image.reduce(factor)  # before the colours, which cost more
        return _coloured(image, meaning.profile).convert("RGB")
    return on_white(_coloured(image, meaning.profile).convert("RGBA")).reduce(factor)


def _coloured(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile is None:
        return image
    from serving.colour import to_srgb

    return to_srgb(image, profile)


def _opaque(image: Image.Image, key: tuple[int, ...], bits: int) -> Image.Image | None:
    """255 where the colour is another than `key`; None if there can be no such."""
    if max(key) >= 1 << bits:
        return None
    if image.mode.startswith("I;16"):
        # Its two bytes each for itself: a table of 65,536 takes longer to make than the strip.
        values = [key[0] >> 8, key[0] & 255] if image.mode == "I;16B" else [key[0] & 255, key[0] >> 8]
        channels = Image.frombytes("LA", image.size, image.tobytes()).split()
    else:
        # Pillow gives 8 bits of whatever there are.
        values = [value >> 8 if bits == 16 else value * 255 // ((1 << bits) - 1) for value in key]
        channels = (image if image.mode == "RGB" else image.convert("L")).split()
    mask = Image.new("L", image.size, 0)
    for channel, clear in zip(channels, values, strict=True):
        mask = ImageChops.lighter(mask, channel.point([0 if value == clear else 255 for value in range(256)]))
    return mask


def _white(image: Image.Image, meaning: Meaning) -> float | None:
    """Which value is white in grey of 16 or 32 bits or in floats; None for other pictures."""
    if image.mode.startswith("I;16"):
        return meaning.white or 65535.0
    if image.mode not in ("I", "F"):
        return None
    darkest, brightest = (float(value) for value in cast("tuple[float, float]", image.getextrema()))
    if meaning.white and (brightest > 65535 or darkest < 0):
        return meaning.white
    # These do not say what white is: take the smallest usual scale that holds the brightest pixel.
    scales = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    fallback = brightest if isfinite(brightest) else 65535.0
    return next((scale for scale in scales if brightest <= scale), fallback)


def _from_deep_grey(image: Image.Image, white: float) -> Image.Image:
    # Pillow's own conversion clips at 255: nearly all becomes white.
    if image.mode == "I" and white > 1 << 31:
        # Unsigned numbers that Pillow takes for signed ones: the first of four bytes is as much as can be seen.
        return Image.frombytes("RGBA", image.size, image.tobytes()).getchannel("A")
    return image.convert("F").point(lambda value: value * (255 / white) + 0.5).convert("L")
