"""A photo on its way to the API: checked here, before anything is sent, and shrunk to what passes.

What is sent shows what the photo shows, and tells nothing else: EXIF holds where and when it was taken. A photo
that is upright and fits goes with its very pixels, and with what its file says of their colours. All others are drawn
anew, by the code that reads pictures in the function, in a process of its own: so both see the same in a file, and
nothing of it is written twice.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lambdacap import children
from lambdacap.client import metadata
from lambdacap.client.source import File, load
from lambdacap.errors import PhotoError
from lambdacap.settings import default_image

LIMIT = 4_500_000
"""Bytes. Lambda takes 6,291,556 bytes of event, in which the photo is base64 (4/3) beside the headers."""
PIXELS = 24_000_000
"""Of a JPEG with more the API might refuse to decode it."""
OTHER_PIXELS = 16_000_000
"""The same of the other formats."""
SIDE = 2048
"""Pixels of the longer side of what is drawn anew; models see a few hundred."""
MOST = 125_000_000
"""Pixels of what is drawn anew: some phones take 108 megapixels, and these are the user's own photos."""
PATIENCE = 120
"""Seconds for drawing one."""
SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heif", ".heics", ".hif"),
}
"""What is taken for a photo in a folder."""
READABLE = "Send a JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC file."


@dataclass(frozen=True)
class Photo(File):
    """What is sent: the encoded picture and its media type."""

    truncated: bool = False
    """Whether it was drawn anew from a file that breaks off, which cannot be seen any more."""


def prepare(path: Path, *, original: bool = False, most: int = LIMIT) -> Photo:
    """Read `path`; make it upright, of at most so many bytes, and free of EXIF.

    `original` leaves all that: the file is sent as it is. Raises `InputError` when it is missing, and `PhotoError` when
    it is no picture.
    """
    content = load(path)
    if original:
        return Photo(path.name, content, metadata.media_type(content) or "image/x-unknown")
    kept = metadata.stripped(content)
    if kept is not None and kept.upright and kept.pixels <= _most(kept.media_type) and len(kept.content) <= most:
        return Photo(path.name, kept.content, kept.media_type)
    drawn, truncated = draw(content, path, most=most)
    return Photo(path.name, drawn, "image/jpeg", truncated)


def _most(media_type: str) -> int:
    return PIXELS if media_type == "image/jpeg" else OTHER_PIXELS


def draw(content: bytes, path: Path | str, side: int = SIDE, most: int = LIMIT) -> tuple[bytes, bool]:
    """A JPEG of what a person sees in a file, `side` pixels at most, and whether the file breaks off.

    Raises `PhotoError`; `path` is how it calls the file.
    """
    command = children.python("serving.draw", side, most, MOST)
    environment = children.environment(os.environ, [default_image()])
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, env=environment, timeout=PATIENCE, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise PhotoError(f"{path} takes longer than {PATIENCE} s to read", hint="Save it as a JPEG.") from error
    except subprocess.CalledProcessError as error:
        # Some decoders end the process with what they find in a broken file.
        last = error.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise PhotoError(f"{path} is not a picture that can be read ({last or error})", hint=READABLE) from error
    head, _, drawn = done.stdout.partition(b"\n")
    said = json.loads(head)
    if "refused" in said:
        raise PhotoError(f"{path} is not a picture that can be read: {said['refused']}", hint=READABLE)
    return drawn, bool(said["truncated"])
