"""What stands in a picture's file beside the pixels: read here, and left out of what the decoder gets.

Decoders refuse whole pictures over a text that is too long, a checksum in a chunk that nobody needs, a segment of which
half is missing. Browsers do not, so of JPEG and PNG nothing is passed on but what makes the pixels.
"""

from __future__ import annotations

import struct
import zlib
from binascii import crc32
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving import boxes, structure
from serving.seen import EXIF_NAME

if TYPE_CHECKING:
    from serving.colour import Chromaticities

MAX_PROFILE = 4_000_000  # bytes; CMYK's are of half a megabyte
SIGNATURE = b"\x89PNG\r\n\x1a\n"
ANCILLARY = 0x20  # the bit of a chunk's first letter
ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
JFIF, EXIF, ICC, ADOBE, COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
ICC_NAME = b"ICC_PROFILE\0"


@dataclass(slots=True)
class Beside:
    """`data` is the file without what the other fields say."""

    data: bytes
    exif: bytes = b""
    icc: bytes | None = None
    code_points: tuple[int, int] | None = None  # H.273's primaries and transfer
    gamma: float | None = None  # as an exponent of what was encoded: 0.45455
    chromaticities: Chromaticities | None = None
    srgb: bool = False
    key: tuple[int, ...] = ()  # the sample values of the colour that is clear, at `bits` each
    bits: int = 8


def parted(data: bytes, kind: str) -> Beside:
    """Takes a file apart; one that is broken comes back as far as it went."""
    try:
        match kind:
            case "JPEG":
                return _jpeg(data)
            case "PNG":
                return _png(data)
            case "AVIF":
                return Beside(data, code_points=boxes.code_points(data))
    except (struct.error, IndexError):
        pass
    return Beside(data)


def _jpeg(data: bytes) -> Beside:
    found, kept, end = Beside(data), [data[:2]], 2
    profiles: dict[int, bytes] = {}
    for marker, start, end in structure.segments(data):
        content = data[start + 4 : end]
        if marker == structure.SCAN:
            kept.append(data[start:])
            break
        if (
            not (0xE0 <= marker <= 0xEF or marker == COMMENT)
            or (marker == JFIF and content[:5] == b"JFIF\0" and len(content) >= 14)
            or (marker == ADOBE and content[:5] == b"Adobe" and len(content) >= 12)
        ):
            kept.append(data[start:end])
        elif marker == EXIF and content.startswith(EXIF_NAME) and not found.exif:
            found.exif = content
        elif marker == ICC and content.startswith(ICC_NAME) and len(content) > 14:
            profiles.setdefault(content[12], content[14:])
            whole = sorted(profiles) == list(range(1, content[13] + 1))
            found.icc = b"".join(profiles[number] for number in sorted(profiles)) if whole else None
    found.data = b"".join(kept)
    return found


def _png(data: bytes) -> Beside:
    found, kept, noted, begun = Beside(data), [SIGNATURE], set[bytes](), False
    for place in structure.chunks(data):
        length, name = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + 8 + length]
        ancillary = bool(name[0] & ANCILLARY)
        if name == b"IDAT":
            begun = True
        if ancillary and begun and name not in ANIMATION:
            continue  # what comes behind the first pixels is too late for browsers, EXIF too
        if ancillary and struct.pack(">I", crc32(name + content)) != data[place + 8 + length : place + 12 + length]:
            continue
        if name == b"IHDR":
            found.bits, colours = content[8], content[9]
        if not ancillary or name in ANIMATION or (name == b"tRNS" and colours == 3):
            kept.append(data[place : place + 12 + length])
        elif name not in noted:  # of each there is one: profiles could unpack to 4 MB a thousand times
            noted.add(name)
            _note(found, name, content, colours)
        if name == b"IEND":
            break
    found.data = b"".join(kept)
    return found


def _note(found: Beside, name: bytes, content: bytes, colours: int) -> None:
    """What a chunk beside the pixels says; `colours` is IHDR's colour type. https://www.w3.org/TR/png-3/"""
    match name:
        case b"tRNS" if colours in (0, 2) and len(content) >= (2, 0, 6)[colours]:
            found.key = struct.unpack_from(">H" if colours == 0 else ">3H", content)
        case b"eXIf":
            found.exif = EXIF_NAME + content
        case b"iCCP":
            found.icc = _inflated(content)
        case b"cICP" if len(content) == 4 and content[2:] == b"\0\1":
            found.code_points = content[0], content[1]
        case b"sRGB":
            found.srgb = True
        case b"gAMA" if len(content) == 4:
            found.gamma = struct.unpack(">I", content)[0] / 100_000
        case b"cHRM" if len(content) == 32:
            x = [value / 100_000 for value in struct.unpack(">8I", content)]
            found.chromaticities = (x[0], x[1]), (x[2], x[3]), (x[4], x[5]), (x[6], x[7])


def _inflated(content: bytes) -> bytes | None:
    _, _, packed = content[:81].partition(b"\0")
    place = len(content) - len(content[81:]) - len(packed)
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(content[place + 1 :], MAX_PROFILE)
    except zlib.error:
        return None
    return profile if unpacker.eof else None
