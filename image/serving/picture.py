"""Bytes that a stranger sent → an upright RGB picture, or the reason why not.

All that is hostile in a picture ends here: what comes out is plain RGB of a bounded size, fit for any
predictor.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageFile

from serving import boxes, isolated, kinds, structure
from serving.formats import FILES, opened
from serving.seen import as_seen, turned

# JPEG's own limit. A picture of 1 × 25,000,000 pixels is small, but the tables to resize it are not (0.8 GB).
MAX_SIDE = 65_535
# A large picture is made smaller by a whole factor, a JPEG while it is decoded, as long as this many times
# the model's size remain. On 12 MP photos and a model of 256 × 256 pixels it takes 60 to 90 ms of 120 away,
# and no pixel that the model sees changes by more than 1 of 255.
MARGIN = 4

# Rare, and with decoders that are large or as old as the format: these are decoded in a process apart.
ISOLATED = {"HEIF", "AVIF", "TIFF", "BMP"}
SENT = 20_000  # pixels that it sends at a time
BLOCK = 64  # pixels; the sides of what HEVC and AV1 code are multiples of at most these
MAX_TILE = 4096 * 4096

Image.preinit()  # the common formats' modules, in the init phase and not in the first caller's time


class UnsupportedImageError(Exception):
    """The bytes are no picture that can be read; the text is for the caller, `cause` for the log."""

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class ImageTooLargeError(Exception):
    """The picture has more pixels than are worth decoding; the text is for the caller."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a person sees it: upright, RGB. `size` is the file's (width, height) before turning."""

    image: Image.Image
    format: str
    size: tuple[int, int]
    truncated: bool = False


def read(data: bytes, *, needed: tuple[int, int] | None = None) -> Picture:
    """Decodes a picture (of an animation the first frame) and makes it what a person sees.

    `needed` is the (width, height) that the model looks at, if known: see `MARGIN`. A JPEG that breaks
    off is taken as far as it goes, like browsers do; the rest is grey, and `truncated` says so. Other formats
    must be whole. Raises `UnsupportedImageError`, `ImageTooLargeError`; a picture that is too large is
    refused by its header, undecoded.
    """
    kind = known(data)
    if kind in ("AVIF", "HEIF"):
        # By all of its headers, with what coded pictures are larger than what is shown of them.
        _check(boxes.largest(data), kind, FILES[kind].most, beyond=BLOCK)
    return _decode_apart(data, kind, needed) if kind in ISOLATED else decode(data, kind, needed)


def known(data: bytes) -> str:
    """The format of a file that is worth decoding. Raises `UnsupportedImageError`."""
    kind = kinds.sniff(data)
    if kind is None:
        raise UnsupportedImageError(kinds.unreadable(data))
    if (parts := structure.excess(data, kind)) is not None:
        raise UnsupportedImageError(f"this {kind} file is made of more {parts} than any real one; save it anew")
    return kind


def _decode_apart(data: bytes, kind: str, needed: tuple[int, int] | None) -> Picture:
    """`decode` in a process apart."""
    try:
        answer = isolated.run(answer_decoded, {"kind": kind, "needed": needed}, data)
    except isolated.ExhaustedError as error:
        raise ImageTooLargeError(_exhausting(kind)) from error
    except isolated.CrashedError as error:
        raise UnsupportedImageError(_broken(kind), str(error)) from error
    head, _, _ = bytes(answer[:1000]).partition(b"\n")
    found = json.loads(head)
    if "too large" in found:
        raise ImageTooLargeError(found["too large"])
    if "unsupported" in found:
        raise UnsupportedImageError(*found["unsupported"])
    image = Image.frombytes("RGB", tuple(found["seen"]), memoryview(answer)[len(head) + 1 :])
    return Picture(image, kind, tuple(found["size"]))


def answer_decoded(request: dict[str, Any], data: bytes, answer: BinaryIO) -> None:
    """`decode` for who asks from another process: a line of JSON, then the pixels."""
    try:
        seen = decode(data, request["kind"], request["needed"])
    except ImageTooLargeError as error:
        answer.write(json.dumps({"too large": str(error)}).encode())
        return
    except UnsupportedImageError as error:
        answer.write(json.dumps({"unsupported": [str(error), error.cause]}).encode())
        return
    answer.write(json.dumps({"size": seen.size, "seen": seen.image.size}).encode() + b"\n")
    width, height = seen.image.size
    rows = max(1, SENT // width)
    for top in range(0, height, rows):
        answer.write(seen.image.crop((0, top, width, min(height, top + rows))).tobytes())


def decode(data: bytes, kind: str, needed: tuple[int, int] | None, pixels: int | None = None) -> Picture:
    """`read`, of a format that is known, in this process; `pixels` is as many as it may have, if not a stranger's."""
    try:
        # Complaints about odd metadata are not for the log of whoever runs this.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return _decode(data, kind, needed, pixels)
            except OSError:
                if kind != "JPEG" or not structure.breaks_off(data):
                    raise
                return _decode(data, kind, needed, pixels, truncated=True)
    except ImageTooLargeError:
        raise
    except kinds.NotSupportedError as error:
        raise UnsupportedImageError(f"{kind} files {error} are not supported: save it as PNG or JPEG") from error
    except MemoryError as error:
        raise ImageTooLargeError(_exhausting(kind)) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError("the picture is far too large; shrink it") from error
    # Pillow's decoders raise a dozen unrelated types on broken input: OSError, SyntaxError, struct.error,
    # KeyError, …
    except Exception as error:
        raise UnsupportedImageError(_broken(kind), _origin(error)) from error


def _broken(kind: str) -> str:
    return f"this {kind} file is broken and cannot be decoded"


def _exhausting(kind: str) -> str:
    return f"this {kind} file takes too much time or memory to decode; save it anew, smaller"


def _origin(error: BaseException) -> str:
    """An exception's type and place, for the log. Not its text: that may quote the picture's EXIF."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
    return type(error).__name__ + where


def _decode(
    data: bytes, kind: str, needed: tuple[int, int] | None, pixels: int | None, *, truncated: bool = False
) -> Picture:
    file = opened(data, kind)
    size = file.size
    _check(size, kind, pixels or file.most)
    tile = file.tile
    if tile[0] * tile[1] > MAX_TILE:
        raise ImageTooLargeError(f"the picture has tiles of {tile[0]} × {tile[1]} pixels; save it anew")
    # A square, because the photo may be turned by 90° after.
    side = MARGIN * max(needed) if needed is not None else MAX_SIDE
    # One event at a time in a function process, so the module's switch is as good as an argument.
    ImageFile.LOAD_TRUNCATED_IMAGES = truncated
    try:
        image = file.load(side)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    turn, seen = file.turn, as_seen(image, max(1, min(image.size) // side), file.meaning(), turn=1)
    del file, image  # a third copy of a large picture would be too much
    return Picture(turned(seen, turn), kind, size, truncated or (kind == "JPEG" and structure.is_filled_up(data)))


def _check(size: tuple[int, int], kind: str, most: int, beyond: int = 0) -> None:
    width, height = size
    if max(width - beyond, 0) * max(height - beyond, 0) > most or max(size) > MAX_SIDE + beyond:
        found = f"the picture has {width} × {height} pixels"
        raise ImageTooLargeError(f"{found}: at most {most // 10**6} megapixels of {kind}; shrink it")
