"""What a photo file tells beside its pixels: where it was taken, when, with what, by whom. Cut out here.

The pixels stay as they are, bit for bit: JPEG and PNG are lists of blocks, and the ones that no decoder needs
are left out. Kept is what is known to be harmless, so that what nobody thought of goes too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_JPEG_KEPT = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""APPn segments by the name that they begin with: what pixels and colours depend on. Not the previews in APP0 and 2."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP"}
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_NEXT_MARKER = re.compile(rb"\xff+[\x02-\xcf\xd9-\xfe]")
"""Any marker that a length follows, or the end: within a scan's data, 0xFF precedes only others (T.81, B.1.1.2)."""


def stripped(content: bytes, format: str | None) -> bytes | None:  # noqa: A002 - Pillow's word
    """`content` without metadata, for Pillow's `format`; None where that takes drawing the picture anew."""
    match format:
        case "JPEG" | "MPO":  # MPO: a JPEG with others behind it, each with its own EXIF
            return b"".join(_jpeg(content))
        case "PNG":
            return b"".join(_png(content))
        case "BMP":
            return content  # holds none
        case "WEBP" if content[12:16] != b"VP8X" or not content[20] & 0x0C:
            return content  # of the simple kind, or one that says that it holds no EXIF (8) and no XMP (4)
        case _:
            return None


def _jpeg(content: bytes) -> Iterator[bytes]:
    """The segments that are kept, up to the end of the first image. A file that breaks off is kept so far."""
    yield content[:2]
    at = 2
    while found := _NEXT_MARKER.search(content, at):  # decoders pass over what lies between, too
        at, marker = found.end() - 2, content[found.end() - 1]
        if marker == _END or at + 4 > len(content):
            yield content[at : at + 2]
            return
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        if marker == _SCAN:  # the data follow the segment, without a length
            following = _NEXT_MARKER.search(content, end)
            end = following.start() if following else len(content)
        name = _JPEG_KEPT.get(marker, b"")
        if not (0xE0 <= marker <= 0xEF or marker == _COMMENT) or (name and content.startswith(name, at + 4)):
            yield content[at:end]
        at = end


def _png(content: bytes) -> Iterator[bytes]:
    yield _PNG
    at = len(_PNG)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if kind in _PNG_KEPT:
            yield content[at:end]
        at = end
