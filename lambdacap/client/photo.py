"""A photo on its way to the API: checked here, before anything is sent, and shrunk to what passes.

What is sent shows what the photo shows, and tells nothing else: EXIF holds where and when it was taken. A photo
that is upright and fits goes with its very pixels, others are drawn anew.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pi_heif
from PIL import Image, UnidentifiedImageError

from lambdacap.client.metadata import stripped
from lambdacap.errors import PhotoError

LIMIT = 4_500_000
"""Bytes. Lambda takes 6,291,556 bytes of event, in which the photo is base64 (4/3) beside the headers."""
PIXELS = 24_000_000
"""Of a picture with more the API might refuse to decode it."""
SIDE = 2048
"""Pixels of the longer side of what is drawn anew; models see a few hundred."""
QUALITIES = (95, 90, 80, 60)
"""JPEG's, to try in turn: at the last, even noise of 2048 × 2048 pixels is below the limit."""
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
"""What is taken for a photo in a folder."""
_ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4 A
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

pi_heif.register_heif_opener()  # HEIC, which iPhones write and Pillow alone cannot read
# Pillow refuses what has over twice as many. Some phones take 200 megapixels, and these are the user's own photos.
Image.MAX_IMAGE_PIXELS = 125_000_000
# Complaints about sizes and odd metadata help nobody. Not with `catch_warnings`: that is for one thread only.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Photo:
    """What is sent: the encoded picture and its media type."""

    name: str
    content: bytes
    media_type: str


def collect(paths: Iterable[Path]) -> list[Path]:
    """The files among `paths`, and the photos in the folders among them and below, by name.

    Raises `PhotoError` for a folder without any.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(
            Path(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        )
        if not inside:
            raise PhotoError(f"there are no photos in the folder {path}", hint=f"Looked for {_names()}.")
        files += inside
    return files


def prepare(path: Path, *, original: bool = False) -> Photo:
    """Read `path`; make it upright, small enough for the gateway, and free of EXIF.

    `original` leaves all that: the file is sent as it is. Raises `PhotoError` when it is missing or no picture.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        # A path has lost one of an address's slashes.
        address = str(path).startswith(("http:/", "https:/"))
        hint = "Photos are sent from this machine: download it first." if address else ""
        raise PhotoError(f"there is no file {path}", hint=hint) from error
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error.strerror}") from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            media_type = image.get_format_mimetype() or "image/x-unknown"
            if original:
                return Photo(path.name, content, media_type)
            fits = image.width * image.height <= PIXELS and _orientation(image) not in _UPRIGHT
            kept = stripped(content, image.format) if fits else None
            if kept is not None and len(kept) <= LIMIT:
                return Photo(path.name, kept, "image/jpeg" if image.format == "MPO" else media_type)
            return Photo(path.name, _drawn_anew(image), "image/jpeg")
    # Pillow's decoders raise a dozen unrelated types on broken input.
    except Exception as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise PhotoError(
            f"{path} is not a picture that can be read{reason}",
            hint="Send a JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC file.",
        ) from error


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - Pillow raises what it likes on broken EXIF, which is no reason to refuse a photo
        return 1


def _drawn_anew(image: Image.Image) -> bytes:
    """A JPEG of what a person sees: the longer side first, then the quality, until it fits."""
    image.draft(None, (2 * SIDE, 2 * SIDE))  # a large JPEG is decoded coarsely, which spares most of the time
    image.load()  # a TIFF has turned itself after that
    turn = _UPRIGHT.get(_orientation(image))
    seen = _over_white(image)
    seen.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    if turn is not None:
        seen = seen.transpose(turn)
    seen.info = {}  # else Pillow writes its comment
    for quality in QUALITIES:
        stream = io.BytesIO()
        seen.save(stream, "JPEG", quality=quality)
        if stream.tell() <= LIMIT:
            break
    return stream.getvalue()


def _over_white(image: Image.Image) -> Image.Image:
    """The picture in RGB, with white behind what is transparent."""
    if image.mode.startswith("I") or image.mode == "F":
        # Grey of 16 bits or more, which Pillow would clip at 255.
        white = _white(image)
        image = image.convert("F").point(lambda value: value * (255 / white) + 0).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("RGB")


def _white(image: Image.Image) -> float:
    """The value of white in deep grey; files of 32 bits do not say it, so the usual one that holds the brightest."""
    if image.mode.startswith("I;16"):
        return 65_535
    _, brightest = image.getextrema()
    scales = (1.0, 255.0, 65_535.0) if image.mode == "F" else (255.0, 65_535.0)
    return next((scale for scale in scales if float(brightest) <= scale), float(brightest))  # type: ignore[arg-type]


def _names() -> str:
    return ", ".join(sorted(suffix.removeprefix(".") for suffix in SUFFIXES))
