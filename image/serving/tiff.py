"""What a TIFF says of its samples, and how to have it read right: Pillow takes some kinds for others.

Its decoders do the work all the same: where they would be wrong, they are given the file with a directory that says
the same in words that they know. What they cannot read so is refused by name. TIFF 6.0, and libtiff's BigTIFF.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from serving.kinds import NotSupportedError

BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PLANAR = 258, 259, 262, 266, 277, 284
# What pixels and colours depend on. Of the rest Pillow reads more than is good for it.
NEEDED = {*range(254, 260), 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, *range(322, 326), 332, 338, 339}
NEEDED |= {347, *range(512, 522), 529, 530, 531, 532, 34675}
STRIPS, STRIP_SIZES, TILES, TILE_SIZES = 273, 279, 324, 325
# What libtiff reads here, and names of what it does not.
READ = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000}
COMPRESSIONS = {
    34661: "JBIG",
    34712: "JPEG 2000",
    34892: "JPEG with losses in a raw file",
    50001: "WebP",
    50002: "JPEG XL",
}
COMPRESSIONS |= {33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC", 52546: "JPEG XL", 32809: "ThunderScan"}
COLOUR_MAP, EXTRA, FORMAT, SUBSAMPLING = 320, 338, 339, 530
COUNTED = {STRIPS, STRIP_SIZES, TILES, TILE_SIZES, BITS, COLOUR_MAP, EXTRA, FORMAT}  # lists of numbers of any type
SUBFILE, MAKE, SUB_DIRECTORIES, DNG = 254, 271, 330, 50706
JPEGS = (6, 7, 34892)
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB = 0, 1, 2, 3, 4, 5, 6, 8
NAMES = {WHITE_IS_ZERO: "grey", BLACK_IS_ZERO: "grey", RGB: "RGB", PALETTE: "a palette", MASK: "a mask", CMYK: "CMYK"}
NAMES |= {YCBCR: "YCbCr", LAB: "Lab", 9: "Lab", 10: "Lab", 32844: "LogL", 32845: "LogLuv"}
CFA, LINEAR_RAW = 32803, 34892
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
SIZES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # the types of numbers that are read here
# Channels that hold colour, and the bits a sample that are read right, without and with alpha.
COLOURS: dict[int, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    WHITE_IS_ZERO: (1, (1,), ()),  # fax; what has more bits is taken for BLACK_IS_ZERO and inverted
    BLACK_IS_ZERO: (1, (1, 2, 4, 8, 12, 16, 32), (8,)),
    RGB: (3, (8, 16), (8, 16)),
    PALETTE: (1, (1, 2, 4, 8), ()),
    CMYK: (4, (8, 16), ()),
    YCBCR: (3, (8,), ()),
    LAB: (3, (8,), ()),
}


@dataclass(frozen=True, slots=True)
class Tiff:
    """A file as Pillow reads it right: whole, or a grey one for each plane. `white` is of what it decodes."""

    data: bytes
    planes: tuple[bytes, ...] = ()
    inverted: bool = False
    white: float | None = None
    palette: bytes | None = None
    mode: str = "RGB"


def understood(data: bytes) -> Tiff:
    """Raises `NotSupportedError`; `struct.error` and `IndexError` where the file is broken."""
    directory = Directory(data)
    if (maker := directory.raw()) is not None:
        raise NotSupportedError(maker)
    photometric, bits, extra = directory.photometric, directory.bits, directory.extra
    inverted = photometric == WHITE_IS_ZERO and bits > 1
    if inverted:
        photometric = BLACK_IS_ZERO
        directory.set(PHOTOMETRIC, (BLACK_IS_ZERO,))
    if directory.samples == 1:
        directory.set(PLANAR, (1,))  # one channel is one plane; Pillow knows some depths by one name only
    directory.check()
    found = Tiff(data, inverted=inverted)
    if photometric == BLACK_IS_ZERO and directory.format == UNSIGNED:
        found = replace(found, white={12: 4095.0, 16: 65535.0, 32: 4294967295.0}.get(bits))
    if photometric == PALETTE and max(directory.numbers(COLOUR_MAP)) < 256:
        # Of 16 bits by the standard, of 8 in files that libtiff and ImageMagick take too.
        colours = directory.numbers(COLOUR_MAP)
        count = len(colours) // 3
        found = replace(
            found, palette=bytes(colours[channel * count + at] for at in range(count) for channel in (0, 1, 2))
        )
    if directory.planar:
        mode = {RGB: "RGB", CMYK: "CMYK", BLACK_IS_ZERO: "L"}[photometric] + ("A" if extra else "")
        planes = tuple(directory.plane(number) for number in range(directory.samples))
        return replace(found, planes=planes, mode=mode, white=65535.0 if bits == 16 else None)
    if extra == (0,):
        directory.set(EXTRA, (2,))  # unspecified: alpha, as ImageMagick has it
    return replace(found, data=directory.file())


class Directory:
    """The first directory of a file, and its tags by number."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data[:1] == b"I" else ">"
        self.big = b"+" in data[2:4]
        self.changes: dict[int, tuple[int, ...]] = {}
        (start,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), data, 8 if self.big else 4)
        (count,) = struct.unpack_from(self.order + ("Q" if self.big else "H"), data, start)
        entry = struct.Struct(f"{self.order}HHQ8s" if self.big else f"{self.order}HHI4s")
        first = start + (8 if self.big else 2)
        self.tags: dict[int, tuple[int, int, bytes]] = {}
        for number in range(count):
            tag, kind, values, content = entry.unpack_from(data, first + number * entry.size)
            self.tags.setdefault(tag, (kind, values, content))

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        if tag in self.changes:
            return self.changes[tag]
        if tag not in self.tags or self.tags[tag][0] not in SIZES:
            return default
        kind, count, content = self.tags[tag]
        values = struct.Struct(f"{self.order}{count}{SIZES[kind]}")
        if values.size <= len(content):
            return values.unpack_from(content)
        (place,) = struct.unpack(self.order + ("Q" if self.big else "I"), content)
        return values.unpack_from(self.data, place)

    def set(self, tag: int, values: tuple[int, ...]) -> None:
        self.changes[tag] = values

    @property
    def photometric(self) -> int:
        return self.numbers(PHOTOMETRIC, (BLACK_IS_ZERO,))[0]

    @property
    def samples(self) -> int:
        return self.numbers(SAMPLES, (1,))[0]

    @property
    def bits(self) -> int:
        return max(self.numbers(BITS, (1,)))

    @property
    def format(self) -> int:
        return self.numbers(FORMAT, (UNSIGNED,))[0]

    @property
    def extra(self) -> tuple[int, ...]:
        colours = COLOURS.get(self.photometric, (self.samples, (), ()))[0]
        return self.numbers(EXTRA) or (0,) * (self.samples - colours)

    @property
    def planar(self) -> bool:
        return self.numbers(PLANAR, (1,))[0] == 2 and self.samples > 1

    def raw(self) -> str | None:
        """The camera whose raw file this is, in words; their first picture is a small preview."""
        maker = self.text(MAKE)
        preview = SUB_DIRECTORIES in self.tags or bool(self.numbers(SUBFILE, (0,))[0] & 1)
        if DNG in self.tags or self.photometric in (CFA, LINEAR_RAW) or (maker and preview) or self.data[8:10] == b"CR":
            return f"that are a camera's raw data ({maker or 'DNG'})"
        return None

    def text(self, tag: int) -> str:
        kind, count, content = self.tags.get(tag, (2, 0, b""))
        if count > len(content):
            (place,) = struct.unpack(self.order + ("Q" if self.big else "I"), content)
            content = self.data[place : place + min(count, 64)]
        return content[:count].partition(b"\0")[0].decode("ascii", "replace").strip() if kind == 2 else ""

    def check(self) -> None:
        """Raises `NotSupportedError` for what is not known to be read right."""
        photometric, bits, extra, samples = self.photometric, self.bits, self.extra, self.samples
        name = NAMES.get(photometric, f"colours of the kind {photometric}")
        if photometric not in COLOURS:
            raise NotSupportedError(f"in {name}")
        if (compression := self.numbers(COMPRESSION, (1,))[0]) not in READ:
            raise NotSupportedError(f"compressed as {COMPRESSIONS.get(compression, f'number {compression}')}")
        colours, plain, with_alpha = COLOURS[photometric]
        channels = f"of {samples} channels in {name}"
        if samples != colours + len(extra) or len(extra) > 1 or (extra and photometric == PALETTE):
            raise NotSupportedError(channels)
        if self.format == FLOAT:
            if (photometric, bits, samples) != (BLACK_IS_ZERO, 32, 1) or (compression != 1 and self.order == ">"):
                raise NotSupportedError(f"of floating-point numbers of {bits} bits in {name}")
        elif self.format == SIGNED and (photometric, bits, samples) == (BLACK_IS_ZERO, 32, 1):
            pass  # so Pillow and NumPy users write what are small positive numbers
        elif self.format != UNSIGNED:
            raise NotSupportedError(f"of signed numbers of {bits} bits in {name}")
        elif self.planar:
            if photometric not in (RGB, CMYK, BLACK_IS_ZERO) or bits not in (8, 16) or (extra and photometric == CMYK):
                raise NotSupportedError(f"of {bits} bits a sample in {name}, a plane a channel")
        elif bits not in (with_alpha if extra else plain) or len(set(self.numbers(BITS, (1,)))) > 1:
            raise NotSupportedError(f"of {bits} bits a sample in {name}{' with alpha' if extra else ''}")
        swapped = self.order == ">" and bits in (12, 32) and self.format == UNSIGNED
        if swapped or (self.numbers(FILL_ORDER, (1,))[0] == 2 and bits > 8):
            raise NotSupportedError(f"of {bits} bits a sample in {name}, in this order of bytes or bits")
        if extra == (1,) and (photometric != RGB or self.planar):
            raise NotSupportedError(f"in {name} with premultiplied alpha")
        if photometric == YCBCR and compression not in JPEGS and self.numbers(SUBSAMPLING, (2, 2)) != (1, 1):
            raise NotSupportedError("in YCbCr with colours of half the size, without JPEG")

    def plane(self, number: int) -> bytes:
        """The file of one channel alone, as grey."""
        self.changes = {PHOTOMETRIC: (BLACK_IS_ZERO,), SAMPLES: (1,), PLANAR: (1,)}
        self.changes |= {BITS: (self.numbers(BITS)[0],), EXTRA: (), FORMAT: ()}
        for tag in (STRIPS, STRIP_SIZES, TILES, TILE_SIZES):
            if tag in self.tags:
                values = self.numbers(tag)
                count = len(values) // self._samples
                self.changes[tag] = values[number * count : (number + 1) * count]
        return self.file()

    @property
    def _samples(self) -> int:
        kind, _, content = self.tags[SAMPLES]
        return int(struct.unpack_from(self.order + SIZES[kind], content)[0])

    def file(self) -> bytes:
        """The file with a directory that says what was set, and no more than is needed."""
        place = len(self.data) + len(self.data) % 2
        entries = self._entries(place)
        count = len(entries)
        numbers = struct.pack(self.order + ("Q" if self.big else "H"), count)
        size = len(numbers) + count * (20 if self.big else 12) + (8 if self.big else 4)
        values, packed = b"", b""
        for tag, (kind, amount, content) in sorted(entries.items()):
            field = content
            if len(content) > (8 if self.big else 4):
                field = struct.pack(self.order + ("Q" if self.big else "I"), place + size + len(values))
                values += content
            packed += struct.pack(self.order + ("HHQ" if self.big else "HHI"), tag, kind, amount)
            packed += field.ljust(8 if self.big else 4, b"\0")
        head = self.data[:8] + struct.pack(self.order + "Q", place) if self.big else self.data[:4]
        head += b"" if self.big else struct.pack(self.order + "I", place)
        rest = self.data[len(head) :] + b"\0" * (len(self.data) % 2)
        return head + rest + numbers + packed + bytes(8 if self.big else 4) + values

    def _entries(self, place: int) -> dict[int, tuple[int, int, bytes]]:
        if place > 0xFFFF_0000:
            raise IndexError(place)
        kind = 16 if self.big else 4
        entries = {tag: entry for tag, entry in self.tags.items() if tag in NEEDED and tag not in self.changes}
        for tag, values in self.changes.items():
            if values:
                entries[tag] = kind, len(values), struct.pack(f"{self.order}{len(values)}{SIZES[kind]}", *values)
        return entries
