"""Pictures spoilt in the ways that find bugs in decoders; every one comes again from its number."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from tests.image.samples import Sample, forms, png_chunk

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HEADER = 600  # bytes in which most formats say how large everything is


def corpus() -> list[Sample]:
    """A small scene in every form."""
    scene = Image.linear_gradient("L").resize((48, 32)).convert("RGB")
    scene.paste((200, 30, 30), (0, 0, 24, 16))
    scene.paste((30, 60, 200), (40, 8, 48, 32))
    return list(forms(scene))


def mutant(originals: Sequence[Sample], number: int) -> tuple[str, bytes]:
    """The name of the original and the spoilt file of that number."""
    rng = np.random.default_rng([0xF022, number])
    original = originals[number % len(originals)]
    data = bytearray(original.data)
    for _ in range(int(rng.choice((1, 1, 1, 2, 3, 6)))):
        if len(data) > 16:
            _spoil(data, rng, originals)
    spoilt = original.data[:4] + bytes(data[4:])  # the first bytes say which decoder it goes to
    if original.kind == "PNG" and rng.integers(4):
        spoilt = _checked(spoilt)
    return original.name, spoilt


def mutants(originals: Sequence[Sample], count: int, first: int = 0) -> Iterator[tuple[int, str, bytes]]:
    """`count` of them, each with its number."""
    for number in range(first, first + count):
        yield number, *mutant(originals, number)


def _checked(png: bytes) -> bytes:
    """With right checksums, as far as its chunks can be followed: else most changes would end there."""
    place, parts = 8, [png[:8]]
    while place + 12 <= len(png):
        end = place + 8 + min(int.from_bytes(png[place : place + 4], "big"), len(png) - place - 12)
        parts.append(png_chunk(png[place + 4 : place + 8], png[place + 8 : end]))
        place = end + 4
    return b"".join(parts) + png[place:]


def _spoil(data: bytearray, rng: np.random.Generator, originals: Sequence[Sample]) -> None:
    place = int(rng.integers(4, len(data)))
    early = int(rng.integers(4, min(len(data), HEADER)))
    length = int(rng.integers(1, 1 + min(400, len(data) - place)))
    match int(rng.integers(9)):
        case 0:  # bits
            for _ in range(int(rng.integers(1, 12))):
                data[int(rng.integers(4, len(data)))] ^= 1 << int(rng.integers(8))
        case 1:  # noise
            data[place : place + length] = rng.bytes(length)
        case 2 | 3:  # a number in the header
            size = int(rng.choice((1, 2, 4)))
            value = int(rng.choice(EXTREMES)) & (1 << 8 * size) - 1
            order = "<" if rng.integers(2) else ">"
            data[early : early + size] = struct.pack(f"{order}{' BH I'[size]}", value)
        case 4:  # a byte in the header
            data[early] = int(rng.integers(256))
        case 5:  # cut out
            del data[place : place + length]
        case 6:  # cut short
            del data[max(16, place) :]
        case 7:  # moved or repeated: segments and chunks in another order
            piece = data[place : place + length]
            if rng.integers(2):
                del data[place : place + length]
            target = int(rng.integers(4, len(data) + 1))
            data[target:target] = piece
        case _:  # a piece of another file
            other = originals[int(rng.integers(len(originals)))].data
            start = int(rng.integers(len(other)))
            data[place : place + length] = other[start : start + length]
