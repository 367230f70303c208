"""How many parts a picture's file has, counted before any decoder sees it.

Decoders take a file at its word: they keep every segment, join comments byte by byte, go over all pixels for each
scan. Half a megabyte of JPEG, 10,000 scans of 25 megapixels, keeps libjpeg busy for three minutes. The bounds
here are far above what cameras and editors write, and what is below costs no decoder a second or 100 MB.
"""

from __future__ import annotations

import re
import struct
from itertools import islice
from typing import TYPE_CHECKING

from serving import boxes, tiff

if TYPE_CHECKING:
    from collections.abc import Iterator

# A JPEG is a few dozen segments; 64 kB each is all that one may hold, so long profiles and previews take several.
MAX_SEGMENTS = 1000
# Progressive ones come in about ten scans. https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf
MAX_SCANS = 30
MAX_CHUNKS = 20_000  # PNG; the usual ones are of 8 kB, and 2,000 frames of an animation are 4,000
MAX_BLOCKS = 20_000  # GIF, of at most 255 bytes, before the first frame
MAX_TAGS = 4096  # TIFF
MAX_VALUES = (
    100_000  # TIFF, of all tags that are no text or blocks of bytes: a strip for each of 65,535 rows has a place
)
SLACK = 16  # bytes by which writers have the last row or a strip too long
MAX_PACKED = 1_000_000  # bytes of a run-length-encoded BMP, which Pillow decodes in Python

# Neither a stuffed byte, nor a marker that no length follows (TEM, restarts): whoever took one for a segment would skip
# what decoders read.
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_END, SCAN = 0xD9, 0xDA
_BYTES = (1, 2, 6, 7)  # TIFF's types of one byte a value


def excess(data: bytes, kind: str) -> str | None:
    """What this file of a format has too much of, in words; None if nothing.

    A file that is broken has what was found until there.
    """
    try:
        match kind:
            case "JPEG":
                return _jpeg(data)
            case "PNG":
                return "chunks" if _more(chunks(data), MAX_CHUNKS) else None
            case "GIF":
                return "blocks" if _more(_blocks(data), MAX_BLOCKS) else None
            case "TIFF":
                return _tiff(data)
            case "BMP":
                return "runs" if is_packed(data) and len(data) > MAX_PACKED else None
            case "AVIF" | "HEIF":
                boxes.largest(data)
    except boxes.ExcessError as error:
        return str(error)
    except (struct.error, IndexError, OverflowError):
        pass
    return None


def _more(parts: Iterator[object], bound: int) -> bool:
    return next(islice(parts, bound, None), None) is not None


def _jpeg(data: bytes) -> str | None:
    scans = 0
    for number, (marker, _, _) in enumerate(segments(data)):
        scans += marker == SCAN
        if scans > MAX_SCANS:
            return "scans"
        if number >= MAX_SEGMENTS:
            return "segments"
    return None


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker, where it stands and where its segment ends; none inside of other segments: ITU-T T.81, B.1."""
    place = 2
    while (found := _MARKER.search(data, place)) is not None:
        marker = data[found.end() - 1]
        if marker == _END:
            return  # phones put videos and more behind it
        start, place = found.start(), found.end() + struct.unpack_from(">H", data, found.end())[0]
        yield marker, start, place


# T.81, table B.1: what no decoder here knows. Arithmetic coding (C9, CA) is known.
_PROCESSES = {0xC3: "coded without loss"} | dict.fromkeys(
    (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "of several resolutions"
)
_PROCESSES |= {0xCB: "coded without loss"}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def process(data: bytes) -> str | None:
    """What kind a JPEG is of, in words after "JPEG files", if it is one that is not read."""
    try:
        for marker, start, _ in segments(data):
            if marker in _FRAMES:
                bits = data[start + 4]
                return _PROCESSES.get(marker) or (f"of {bits} bits a sample" if bits != 8 else None)
            if marker == SCAN:
                break
    except (struct.error, IndexError):
        pass
    return None


def breaks_off(data: bytes) -> bool:
    """Whether a JPEG ends before the marker that says so."""
    place = 2
    try:
        for _, _, end in segments(data):
            place = end
    except struct.error:
        return True
    return data.find(b"\xff\xd9", place) < 0


def is_filled_up(data: bytes) -> bool:
    """Whether a JPEG breaks off where somebody who wanted its full size put zeros."""
    return data.endswith(bytes(64)) and breaks_off(data)


def chunks(data: bytes) -> Iterator[int]:
    """Where each chunk begins."""
    place = 8
    while place < len(data):
        yield place
        place += 12 + struct.unpack_from(">I", data, place)[0]


def _blocks(data: bytes) -> Iterator[int]:
    """The sub-blocks of extensions in front of the first frame."""
    place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[place] == ord("!"):
        place += 2
        while True:
            yield place
            size = data[place]
            place += 1 + size
            if not size:
                break


def is_packed(bmp: bytes) -> bool:
    """Whether the pixels are runs of 8 or 4 bits. Raises `struct.error`."""
    return struct.unpack_from("<I", bmp, 30)[0] in (1, 2)


def _tiff(data: bytes) -> str | None:
    order = "<" if data[:1] == b"I" else ">"
    big = b"+" in data[2:4]
    (start,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)
    (tags,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)
    if tags > MAX_TAGS:
        return "tags"
    entry = struct.Struct(f"{order}HHQ8x" if big else f"{order}HHI4x")
    start += 8 if big else 2
    values = 0
    for number in range(tags):
        tag, kind, count = entry.unpack_from(data, start + number * entry.size)
        values += 0 if kind in _BYTES and tag not in tiff.COUNTED else count
    if values > MAX_VALUES:
        return "values"
    directory = tiff.Directory(data)
    for places, sizes in ((tiff.STRIPS, tiff.STRIP_SIZES), (tiff.TILES, tiff.TILE_SIZES)):
        count, given = len(directory.numbers(places)), directory.numbers(sizes)
        # One of which no size is said goes on to the end of the file.
        total = sum(size or len(data) for size in given) + len(data) * (count - len(given))
        if count > 1 and total > len(data) + SLACK * count:
            return "bytes in its strips"
    return None
