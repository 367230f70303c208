"""What a photo file tells beside its pixels: where it was taken, when, with what, by whom. Cut out here.

The pixels stay as they are, bit for bit: JPEG, PNG and WebP are lists of blocks, and the ones that no decoder needs
are left out. Kept is what is known to be harmless, so that what nobody thought of goes too.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MEDIA_TYPES = (
    *((b"\xff\xd8", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png")),
    *((b"BM", "image/bmp"), (b"GIF8", "image/gif")),
    *((start, "image/tiff") for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
)

_JFIF, _EXIF, _ICC, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_JPEG_KEPT = {*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD} - {0xC8}
"""Frames, tables, scans, lines and restarts. APPn segments, comments and what is reserved may hold anything."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_END, _SCAN, _LINES, _RESTARTS = 0xD9, 0xDA, 0xDC, 0xDD
_PROFILE_PART = 65_519
_NEXT_MARKER = re.compile(rb"\xff+[\x02-\xcf\xd9-\xfe]")
"""Any marker that a length follows, or the end: within a scan's data, 0xFF precedes only others (T.81, B.1.1.2)."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR": 13, b"IEND": 0, b"cHRM": 32, b"gAMA": 4, b"sRGB": 1, b"cICP": 4, b"acTL": 8, b"fcTL": 26}
"""Those of a fixed length, which have it or say nothing that decoders go by: https://www.w3.org/TR/png-3/"""
_MOST_PROFILE = 4_000_000  # bytes, as the function takes them
_TRANSPARENT = {0: 2, 2: 6}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_WEBP_TOLD = 0x0C  # VP8X's flags of EXIF and XMP
_ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4 A
_RUNS = (1, 2)  # BMP's compressions whose size only the header knows
_EMBEDDED = int.from_bytes(b"MBED", "big")


@dataclass(frozen=True)
class Stripped:
    """A file without metadata. `upright` is false where they said that it has to be turned."""

    content: bytes
    media_type: str
    pixels: int
    upright: bool = True


def media_type(content: bytes) -> str | None:
    """By the first bytes; None for what the API reads not."""
    for start, found in _MEDIA_TYPES:
        if content.startswith(start):
            return found
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return "image/avif" if content[8:11] == b"avi" else "image/heic"
    return None


def stripped(content: bytes) -> Stripped | None:
    """`content` without metadata; None where that takes drawing the picture anew."""
    kinds: dict[str | None, Callable[[bytes], Stripped | None]]
    kinds = {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp, "image/bmp": _bmp}
    strip = kinds.get(media_type(content))
    try:
        return strip(content) if strip else None
    except (struct.error, IndexError):
        return None  # whoever draws it says what is wrong with it


def _jpeg(content: bytes) -> Stripped | None:
    pixels, exif, parts, profile = 0, b"", [content[:2]], list[bytes]()
    for marker, head, scan in _segments(content):
        if marker in _FRAMES and not pixels:
            height, width = struct.unpack_from(">HH", head, 5)
            pixels = width * height
        if marker == _EXIF and head.startswith(b"Exif\0\0", 4) and not exif:
            exif = head[10:]
        if marker == _END:
            parts.append(head)
        elif marker in (_LINES, _RESTARTS) and len(head) != 6:
            return None
        elif marker in _JPEG_KEPT:
            parts += head, scan
        elif marker == _ICC:
            profile.append(head)
            parts.append(scan)
        else:
            parts.append(_harmless(marker, head))
            parts.append(scan)
    at = 1 + (parts[1:2] != [] and parts[1].startswith(b"\xff\xe0"))  # JFIF wants to be the first
    parts[at:at] = _profile_segments(profile)
    return Stripped(b"".join(parts), "image/jpeg", pixels, _orientation(exif) == 1) if pixels else None


def _profile_segments(segments: list[bytes]) -> list[bytes]:
    """The profile again, without what is in none of its parts or behind its end. ICC.1:2022, B.4."""
    found: dict[int, bytes] = {}
    count = 0
    for segment in segments:
        if segment.startswith(b"ICC_PROFILE\0", 4) and len(segment) > 18:
            count = count or segment[17]
            found.setdefault(segment[16], segment[18:])
    if not count or not all(number in found for number in range(1, count + 1)):
        return []
    whole = _profile(b"".join(found[number] for number in range(1, count + 1)))
    pieces = [whole[at : at + _PROFILE_PART] for at in range(0, len(whole), _PROFILE_PART)]
    return [
        b"\xff\xe2" + struct.pack(">H12sBB", 16 + len(piece), b"ICC_PROFILE\0", number, len(pieces)) + piece
        for number, piece in enumerate(pieces, 1)
    ]


def _profile(content: bytes) -> bytes:
    """An ICC profile as far as it says that it goes."""
    return content[: int.from_bytes(content[:4], "big")]


def _segments(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, segment and the data of a scan that follow, up to the end of the first image, or as far as it goes."""
    at = 2
    while found := _NEXT_MARKER.search(content, at):  # decoders pass over what lies between, too
        at, marker = found.end() - 2, content[found.end() - 1]
        if marker == _END or at + 4 > len(content):
            yield _END, content[at : at + 2], b""
            return
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        data = end
        if marker == _SCAN:  # the data follow the segment, without a length
            following = _NEXT_MARKER.search(content, end)
            data = following.start() if following else len(content)
        yield marker, content[at:end], content[end:data]
        at = data


def _harmless(marker: int, segment: bytes) -> bytes:
    """What pixels and colours depend on, of a segment that may hold more; no preview."""
    if marker == _JFIF and segment.startswith(b"JFIF\0", 4) and len(segment) >= 18:
        return b"\xff\xe0\0\x10" + segment[4:16] + b"\0\0"
    if marker == _ADOBE and segment.startswith(b"Adobe", 4) and len(segment) >= 16:
        return b"\xff\xee\0\x0e" + segment[4:16]
    return b""


def _png(content: bytes) -> Stripped:
    width, height, _, colours = struct.unpack_from(">IIBB", content, 16)
    parts, at, upright, animated = [_PNG], len(_PNG), True, False
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if kind == b"iCCP":
            parts.append(_png_profile(content[at + 8 : end - 4]))
        elif _is_kept(kind, length, colours) or (kind == b"fdAT" and animated):
            parts.append(content[at:end])
            animated |= kind == b"acTL"
        elif kind == b"IEND":
            parts.append(_png_chunk(kind, b""))
        elif kind == b"eXIf":
            upright = _orientation(content[at + 8 : end - 4]) == 1
        at = end
        if kind == b"IEND":
            break  # whatever comes behind
    return Stripped(b"".join(parts), "image/png", width * height, upright)


def _is_kept(kind: bytes, length: int, colours: int) -> bool:
    """Whether pixels and colours depend on a chunk of PNG, under IHDR's colour type."""
    match kind:
        case b"IDAT":
            return True
        case b"PLTE":
            return colours == 3 and length <= 768
        case b"tRNS":
            return length == _TRANSPARENT.get(colours) or (colours == 3 and length <= 256)
        case b"sBIT":
            return length <= 4
    return _PNG_KEPT.get(kind) == length


def _png_profile(content: bytes) -> bytes:
    """`iCCP` under no name of its own, with nothing behind the profile; nothing of one that is broken."""
    _, _, packed = content.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], _MOST_PROFILE)
    except zlib.error:
        return b""
    return _png_chunk(b"iCCP", b"ICC\0\0" + zlib.compress(_profile(profile))) if unpacker.eof else b""


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _webp(content: bytes) -> Stripped | None:
    end = 8 + struct.unpack_from("<I", content, 4)[0]
    if end > len(content) + 1:
        return None
    chunks, seen = list[tuple[bytes, bytes]](), set[bytes]()
    for kind, chunk in _chunks(content, 12, end):
        if kind == b"ANMF" or kind not in seen:  # of all others decoders take the first
            chunks.append((kind, chunk))
        seen |= {b"VP8 ", b"VP8L"} if kind.startswith(b"VP8") and kind != b"VP8X" else {kind}
    size = next(filter(None, (_webp_size(*chunk) for chunk in chunks)), None)
    if size is None:
        return None
    body = b"WEBP" + b"".join(_webp_chunk(*chunk) for chunk in chunks)
    # Browsers show it as it lies, whatever its EXIF says.
    return Stripped(b"RIFF" + struct.pack("<I", len(body)) + body, "image/webp", size[0] * size[1])


def _chunks(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", content, at)
        yield kind, content[at + 8 : min(at + 8 + length, end)]
        at += 8 + length + length % 2


def _webp_size(kind: bytes, chunk: bytes) -> tuple[int, int] | None:
    if kind == b"VP8X":
        return int.from_bytes(chunk[4:7], "little") + 1, int.from_bytes(chunk[7:10], "little") + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", chunk, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", chunk, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _webp_chunk(kind: bytes, chunk: bytes) -> bytes:
    if kind not in _WEBP_KEPT:
        return b""
    if kind == b"VP8X":
        chunk = bytes((chunk[0] & ~_WEBP_TOLD,)) + chunk[1:10]
    elif kind == b"ICCP":
        chunk = _profile(chunk)
    elif kind == b"ANMF":
        chunk = chunk[:16] + b"".join(_webp_chunk(*inner) for inner in _chunks(chunk, 16, len(chunk)))
    return kind + struct.pack("<I", len(chunk)) + chunk + bytes(len(chunk) % 2)


def _bmp(content: bytes) -> Stripped | None:
    """The file with nothing in its gaps and behind its end."""
    start, header = struct.unpack_from("<II", content, 10)
    if header < 40:
        return None  # OS/2's first
    width, height, _, bits, compression, size, _, _, colours = struct.unpack_from("<iiHHIIiiI", content, 18)
    if compression not in _RUNS:
        size = (width * bits + 31) // 32 * 4 * abs(height)
    masks = 16 if header == 40 and compression in (3, 6) else 0
    palette = 4 * (colours or 1 << bits) if bits <= 8 else 0
    pieces = [(0, 6), (10, 14 + header + masks + palette), (start, start + size)]
    if header >= 124 and struct.unpack_from("<I", content, 70)[0] == _EMBEDDED:
        place, length = struct.unpack_from("<II", content, 126)
        length = min(length, int.from_bytes(content[14 + place : 18 + place], "big"))
        pieces.append((14 + place, 14 + place + length))
    end = max(until for _, until in pieces)
    if width <= 0 or end > len(content) + 64:
        return None
    kept = bytearray(min(end, len(content)))
    for begin, until in pieces:
        kept[begin:until] = content[begin:until]
    return Stripped(bytes(kept), "image/bmp", width * abs(height))


def _orientation(exif: bytes) -> int:
    """Of a block of EXIF, which is a TIFF file without a picture; 1 for one that is broken or says none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        entries = (struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * number) for number in range(count))
        return next((value for tag, _, _, value in entries if tag == _ORIENTATION and 2 <= value <= 8), 1)
    except struct.error:
        return 1
