"""Bytes that a stranger sent → an upright RGB picture, or the reason why not.

All that is hostile in a picture ends here: what comes out is plain RGB of a bounded size, fit for any
predictor.
"""

from __future__ import annotations

import warnings
from binascii import a2b_base64
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, cast

from PIL import Image, ImageFile

from serving import structure

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile

# A picture over these bounds is refused by its header, before a pixel is decoded. A body is at most 4.5 MB
# here (Lambda's 6 MB after base64), so hardly a real photo comes near. JPEG: what the largest common phones
# take (48 and 50 MP), since it can be decoded coarsely. The others have to be decoded whole, at 4 bytes a
# pixel (WebP and AVIF: 12 to 16, HEIC: 7): 25 MP holds every screen up to 6K, and what phones write as HEIC.
MAX_JPEG_PIXELS = 50_000_000
MAX_PIXELS = 25_000_000
# JPEG's own limit. A picture of 1 × 25,000,000 pixels is small, but the tables to resize it are not (0.8 GB).
MAX_SIDE = 65_535
# A large picture is made smaller by a whole factor, a JPEG while it is decoded, as long as this many times
# the model's size remain. On 12 MP photos and a model of 256 × 256 pixels it takes 60 to 90 ms of 120 away,
# and no pixel that the model sees changes by more than 1 of 255.
MARGIN = 4
STRIP = 128  # rows

# Nothing but these is tried: Pillow knows 40 formats more, among them some that start other programs.
PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pi_heif",
}
READABLE = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC"
# What ISO media files may call themselves: https://mp4ra.org/registered-types/brands
BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIF"
)

ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4 A
TILE_WIDTH, TILE_LENGTH = 322, 323  # TIFF 6.0, section 15
MAX_TILE = 4096 * 4096
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.preinit()  # the common formats' modules, in the init phase and not in the first caller's time


class UnsupportedImageError(Exception):
    """The bytes are no picture that can be read; the text is for the caller."""


class ImageTooLargeError(Exception):
    """The picture has more pixels than are worth decoding; the text is for the caller."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a person sees it: upright, RGB. `size` is the file's (width, height) before turning."""

    image: Image.Image
    format: str
    size: tuple[int, int]
    truncated: bool = False


def sniff(data: bytes) -> str | None:
    """The format of which the first bytes speak, among those that are read; None for all else."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:2] == b"BM":
        return "BMP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[4:8] == b"ftyp":
        # The major brand, or of one that says no more than "a picture" (mif1) the first compatible one.
        length = min(int.from_bytes(data[:4], "big"), 256)
        brands = (data[place : place + 4] for place in (8, *range(16, length, 4)))
        return next((BRANDS[brand] for brand in brands if brand in BRANDS), None)
    return None


def read(data: bytes, *, needed: tuple[int, int] | None = None) -> Picture:
    """Decodes a picture (of an animation the first frame) and makes it what a person sees.

    `needed` is the (width, height) that the model looks at, if known: see `MARGIN`. A JPEG that breaks
    off is taken as far as it goes, like browsers do; the rest is grey, and `truncated` says so. Other formats
    must be whole. Raises `UnsupportedImageError`, `ImageTooLargeError`; a picture that is too large is
    refused by its header, undecoded.
    """
    kind = sniff(data)
    if kind is None:
        raise UnsupportedImageError(_unreadable(data))
    if (parts := structure.excess(data, kind)) is not None:
        raise UnsupportedImageError(f"this {kind} file is made of more {parts} than any real one; save it anew")
    plugin = import_module(PLUGINS[kind])
    if kind == "HEIF":
        plugin.register_heif_opener()
    try:
        # Complaints about odd metadata are not for the log of whoever runs this.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return _decode(data, kind, needed)
            except OSError:
                if kind != "JPEG":
                    raise
                return _decode(data, kind, needed, truncated=True)
    except ImageTooLargeError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError("the picture is far too large; shrink it") from error
    # Pillow's decoders raise a dozen unrelated types on broken input: OSError, SyntaxError, struct.error,
    # KeyError, …
    except Exception as error:
        raise UnsupportedImageError(f"this {kind} file is broken and cannot be decoded") from error


def _decode(data: bytes, kind: str, needed: tuple[int, int] | None, *, truncated: bool = False) -> Picture:
    with Image.open(BytesIO(data), formats=(kind,)) as image:
        size = image.size
        # All of a progressive JPEG's coefficients are in memory at once, at up to 6 bytes a pixel.
        coarse = kind == "JPEG" and not image.info.get("progressive")
        bound = MAX_JPEG_PIXELS if coarse else MAX_PIXELS
        if size[0] * size[1] > bound or max(size) > MAX_SIDE:
            found = f"the picture has {size[0]} × {size[1]} pixels"
            raise ImageTooLargeError(f"{found}: at most {bound // 10**6} megapixels of {kind}; shrink it")
        if kind == "TIFF":
            _check_tile(image)
        # A square, because the photo may be turned by 90° after.
        side = MARGIN * max(needed) if needed is not None else MAX_SIDE
        if kind == "JPEG":
            image.draft(None, (side, side))
        # One event at a time in a function process, so the module's switch is as good as an argument.
        ImageFile.LOAD_TRUNCATED_IMAGES = truncated
        try:
            image.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        return Picture(as_seen(image, max(1, min(image.size) // side)), kind, size, truncated)


def _check_tile(image: Image.Image) -> None:
    # A tile may be larger than the picture, and is unpacked whole.
    tags = cast("TiffImageFile", image).tag_v2
    width, length = tags.get(TILE_WIDTH, 0), tags.get(TILE_LENGTH, 0)
    if width * length > MAX_TILE:
        raise ImageTooLargeError(f"the picture has tiles of {width} × {length} pixels; save it anew")


def blank() -> Image.Image:
    """A white picture, to try a predictor with."""
    return Image.new("RGB", (64, 64), "white")


def as_seen(image: Image.Image, factor: int = 1) -> Image.Image:
    """The picture as a person sees it: upright by its EXIF orientation, RGB, transparent parts over white.

    `factor` makes it that many times smaller (means of factor × factor pixels). What this returns stays as it
    is when it is passed in again.
    """
    turn = UPRIGHT.get(_orientation(image))
    if factor > 1 or image.mode != "RGB" or "transparency" in image.info:
        image = _rgb(image, factor)
    if turn is not None:
        image = image.transpose(turn)
        image.info = {}  # else the copy says that it is still to be turned
    return image


def _orientation(image: Image.Image) -> int:
    image.load()  # TIFF and PNG know it only after; TIFF then has turned itself
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001  EXIF is as hostile as the rest, and no reason to refuse a picture
        return 1


def _rgb(image: Image.Image, factor: int) -> Image.Image:
    # Row by row in strips: the copies that converting takes would be the most of a large picture's memory.
    white = _white(image)
    width, height = image.size
    seen = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, STRIP // factor)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        seen.paste(_flat(strip, white).reduce(factor), (0, top // factor))
    return seen


def _flat(image: Image.Image, white: float | None) -> Image.Image:
    if white is not None:
        return _from_deep_grey(image, white)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("RGB")


def _white(image: Image.Image) -> float | None:
    """Which value is white in grey of 16 or 32 bits or in floats; None for other pictures."""
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode not in ("I", "F"):
        return None
    # These do not say what white is: take the smallest usual scale that holds the brightest pixel.
    brightest = float(cast("tuple[float, float]", image.getextrema())[1])
    scales = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    fallback = brightest if isfinite(brightest) else 65535.0
    return next((scale for scale in scales if brightest <= scale), fallback)


def _from_deep_grey(image: Image.Image, white: float) -> Image.Image:
    # Pillow's own conversion clips at 255: nearly all becomes white.
    import numpy as np

    values = np.nan_to_num(np.asarray(image).astype(np.float32), nan=0.0)
    grey = (np.clip(values / np.float32(white), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _unreadable(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return f"videos cannot be read: send a picture ({READABLE} can be read)"
    if data[:5] == b"data:" or _is_base64_of_a_picture(data):
        return "the body is a picture in base64: send the bytes themselves"
    return f"this is no picture that can be read: {READABLE} can"


def _is_base64_of_a_picture(data: bytes) -> bool:
    try:
        return sniff(a2b_base64(data[:64], strict_mode=True)) is not None
    except ValueError:
        return False
