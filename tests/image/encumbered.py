"""Whole pictures with metadata over which decoders stumble, or that says how they lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image
from serving import colour
from serving.colour import PRIMARIES

from tests.image.samples import Sample, encode, png_chunk, turned, with_chunks


def oriented(scene: Image.Image) -> Iterator[Sample]:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    for orientation in range(1, 9):
        for kind in ("PNG", "WEBP", "AVIF"):
            options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
            yield Sample(f"{kind}, EXIF {orientation}", kind, turned(scene, kind, orientation, **options), "other")
    jpeg = encode(scene, "JPEG", quality=95)
    for name, tags in (
        ("as a long number", [(4, 1, 6)]),
        ("as a byte", [(1, 1, 6)]),
        ("twice in a tag", [(3, 2, 6)]),
        ("9", [(3, 1, 9)]),
        ("twice", [(3, 1, 6), (3, 1, 3)]),
        ("twice, the second no number", [(3, 1, 6), (2, 1, 3)]),
    ):
        exif = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
        exif += b"".join(struct.pack("<HHII", 0x0112, *tag) for tag in tags) + bytes(4)
        segment = struct.pack(">BBH", 0xFF, 0xE1, 8 + len(exif)) + b"Exif\0\0" + exif
        yield Sample(f"JPEG, orientation {name}", "JPEG", jpeg[:2] + segment + jpeg[2:], "other")
        yield Sample(f"PNG, orientation {name}", "PNG", with_chunks(encode(scene, "PNG"), (b"eXIf", exif)), "other")
    for kind in ("JPEG", "WEBP", "AVIF"):
        yield Sample(f"{kind}, orientation in XMP", kind, encode(scene, kind, xmp=xmp, quality=95))
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp
    yield Sample("PNG, orientation in XMP", "PNG", with_chunks(encode(scene, "PNG"), (b"iTXt", text)))


def encumbered(scene: Image.Image) -> Iterator[Sample]:
    """Whole pictures with metadata over which decoders stumble."""
    png, jpeg = encode(scene, "PNG"), encode(scene, "JPEG", quality=95)
    text = png_chunk(b"tEXt", b"Comment\0hello")
    yield Sample("PNG, text with a bad checksum", "PNG", png[:33] + text[:-4] + b"oops" + png[33:])
    exif = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x0112, 3, 1, 6) + bytes(4)
    profile = b"x\0\0" + zlib.compress(colour.written(PRIMARIES[9], lambda value: value) or b"")
    for chunk, content in (
        (b"gAMA", struct.pack(">I", 90_000)),
        (b"iCCP", profile),
        (b"eXIf", exif),
        (b"cICP", b"\t\b\0\1"),
    ):
        late = png[:-12] + png_chunk(chunk, content) + png[-12:]
        yield Sample(f"PNG, {chunk.decode()} behind the pixels", "PNG", late)
    long = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000)))
    yield Sample("PNG, text of 5 MB", "PNG", with_chunks(png, long))
    for name, marker, content in (
        ("APP13 cut short", 0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        ("EXIF cut short", 0xE1, b"Exif\0\0MM"),
        ("profile cut short", 0xE2, b"ICC_PROFILE\0\1"),
        ("MPF astray", 0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
    ):
        segment = struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content
        yield Sample(f"JPEG, {name}", "JPEG", jpeg[:2] + segment + jpeg[2:])
