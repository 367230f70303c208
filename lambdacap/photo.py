"""A photo on its way to the API: checked here, before anything is sent, and shrunk to what passes."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from lambdacap.errors import PhotoError

LIMIT = 4_500_000
"""Bytes. Lambda takes 6,291,556 bytes of event, in which the photo is base64 (4/3) beside the headers."""
_SIDES = (2048, 1536, 1024, 512)
"""Pixels of the longer side to try in turn; models see a few hundred."""
_QUALITY = 90


@dataclass(frozen=True)
class Photo:
    """What is sent: the encoded picture and its media type."""

    name: str
    content: bytes
    media_type: str


def prepare(path: Path) -> Photo:
    """Read `path`; a picture too large for the gateway is turned upright and shrunk.

    Raises `PhotoError` when it is missing or no picture.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError(f"there is no file {path}") from error
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error.strerror}") from error
    try:
        # Decoding is the API's work; here the header tells, and a giant of pixels is shrunk at our own risk.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content))
            media_type = image.get_format_mimetype()
            if media_type and len(content) <= LIMIT:
                return Photo(path.name, content, media_type)
            return Photo(path.name, _shrink(image), "image/jpeg")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise PhotoError(
            f"{path} is not a picture that can be read{reason}",
            hint="Send a JPEG, PNG, WebP, GIF, BMP or TIFF file.",
        ) from error


def _shrink(image: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(image).convert("RGB")
    for side in _SIDES:
        smaller = upright.copy()
        smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        smaller.save(stream, "JPEG", quality=_QUALITY)
        if stream.tell() <= LIMIT:
            break
    return stream.getvalue()
