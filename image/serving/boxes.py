"""What HEIC and AVIF files are made of: boxes, items and the links between them, counted before they are decoded.

Items are described in one place, lie in another, and are made of one another; each of these can be said twice, nested
or overlapped, so that a file of 3 kB asks for 2⁴⁰ pictures. ISO/IEC 14496-12 (boxes), 23008-12 (items).
"""

from __future__ import annotations

import struct
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serving import coded_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.coded_size import Size

MAX_BOXES = 5000  # with a few for each item
MAX_ITEMS = 1000  # 50 megapixels in tiles of 512 × 512 are 200
MAX_LINKS = 10_000
MAX_SAMPLES = 20_000  # of an animation
MAX_LAYERS = 4  # tiles in a grid, cropped, under an overlay
MAX_WORK = 4  # times the pixels of the largest picture: a grid and its tiles are 2, alpha and an overlay more
HEADER = 300  # bytes in which a sequence header stands; what hides behind more is for the limits of `isolated`
SMALL = 1_000_000  # pixels of which it does not matter how often
# How many bytes of content stand before the boxes in a box.
CONTAINERS = {b"meta": 4, b"stsd": 8, b"iref": 4, b"iinf": 0, b"av01": 78, b"hvc1": 78, b"hev1": 78} | dict.fromkeys(
    (b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl"), 0
)
# Where tables of samples say how many there are.
TABLES = {b"stsz": 8, b"stz2": 8} | dict.fromkeys((b"stts", b"ctts", b"stsc", b"stco", b"co64", b"stss"), 4)


class ExcessError(Exception):
    """There is too much of what the text says."""


@dataclass(slots=True)
class Boxes:
    """What was found; ids of items are numbers, sizes are (width, height)."""

    data: bytes
    boxes: int = 0
    links: int = 0
    samples: int = 0
    stored: tuple[int, int] = (0, 0)  # where `idat` begins and ends
    primary: int = 0
    sizes: list[Size] = field(default_factory=list)
    properties: list[Size] = field(default_factory=list)
    kinds: dict[int, bytes] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    parts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    described: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    has: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    colours: dict[int, tuple[int, int]] = field(default_factory=dict)  # by property; of a track -1

    def walk(self, start: int, end: int, depth: int = 0, parent: bytes = b"") -> None:
        """Everything between two places; what claims to be larger than its container ends with it."""
        while start + 8 <= end:
            size, name = struct.unpack_from(">I4s", self.data, start)
            head = 8
            if size == 1:
                (size,) = struct.unpack_from(">Q", self.data, start + 8)
                head = 16
            stop = min(end, start + size) if size else end
            self.boxes += 1
            if self.boxes > MAX_BOXES:
                raise ExcessError("boxes")
            if stop < start + head:
                return
            with suppress(struct.error, IndexError):  # one that is broken hides none of the others
                self.note(name, start + head, stop, parent)
            if name in CONTAINERS and depth < 10:
                inside = start + head + CONTAINERS[name]
                if name == b"iinf":
                    inside += 6 if self.data[start + head] == 0 else 8
                self.walk(inside, stop, depth + 1, name)
            start = stop

    def note(self, name: bytes, start: int, end: int, parent: bytes) -> None:
        content = self.data[start:end] if name not in (b"mdat", b"idat") else b""
        if parent == b"ipco":
            self.properties.append((0, 0))
        if parent == b"iref":
            self.note_links(name, content)
        elif name in TABLES:
            (count,) = struct.unpack_from(">I", content, TABLES[name])
            self.samples += count
            if self.samples > MAX_SAMPLES:
                raise ExcessError("samples")
            if name in (b"stco", b"co64") and count:
                (place,) = struct.unpack_from(">I" if name == b"stco" else ">Q", content, 8)
                self.claim(self.av1(place))
        match name:
            case b"idat":
                self.stored = start, end
            case b"pitm":
                self.primary = int.from_bytes(content[4 : 8 if content[0] else 6], "big")
            case b"infe" if content[0] >= 2:
                wide = content[0] > 2
                item, _, kind = struct.unpack_from(">IH4s" if wide else ">HH4s", content, 4)
                self.kinds[item] = kind
                if len(self.kinds) > MAX_ITEMS:
                    raise ExcessError("items")
            case b"iloc":
                self.note_extents(content)
            case b"ipma":
                self.note_properties(content)
            case b"ispe":
                self.claim(struct.unpack_from(">II", content, 4))
            case b"colr" if content[:4] == b"nclx":
                at = len(self.properties) - 1 if parent == b"ipco" else -1
                self.colours[at] = struct.unpack_from(">HH", content, 4)
            case b"hvcC":
                self.claim(_tried(coded_size.of_hevc, content))
            case b"av1C":
                self.claim(_tried(coded_size.of_av1, content[4 : 4 + HEADER]))

    def claim(self, size: Size) -> None:
        self.sizes.append(size)
        if self.properties:
            self.properties[-1] = size

    def note_links(self, name: bytes, content: bytes) -> None:
        # The version of `iref` is not at hand here: ids are as wide as the count of them fits.
        for kind in ("H", "I"):
            width = struct.calcsize(kind)
            (source,) = struct.unpack_from(f">{kind}", content)
            (count,) = struct.unpack_from(">H", content, width)
            if len(content) == width + 2 + count * width:
                break
        self.links += count
        if self.links > MAX_LINKS:
            raise ExcessError("links between its items")
        if name == b"dimg":
            self.parts[source] += struct.unpack_from(f">{count}{kind}", content, width + 2)
        else:
            self.described[source] += count

    def note_extents(self, content: bytes) -> None:
        version, sizes, more = content[0], content[4], content[5]
        wide = version == 2
        widths = sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0
        count = int.from_bytes(content[6 : 10 if wide else 8], "big")
        place, total = 10 if wide else 8, 0
        if count > MAX_ITEMS:
            raise ExcessError("items")

        def number(width: int) -> int:
            nonlocal place
            if place + width > len(content):
                raise IndexError(place)
            place += width
            return int.from_bytes(content[place - width : place], "big")

        for _ in range(count):
            item = number(4 if wide else 2)
            method = number(2) & 15 if version else 0
            number(2)
            base = number(widths[2])
            for _ in range(number(2)):
                number(widths[3])
                offset, length = base + number(widths[0]), number(widths[1])
                self.extents[item].append((method, offset, length or len(self.data)))
                total += 1
                if total > MAX_LINKS or len(self.extents) > MAX_ITEMS:
                    raise ExcessError("items")

    def note_properties(self, content: bytes) -> None:
        wide, large = content[0] > 0, content[3] & 1
        (count,) = struct.unpack_from(">I", content, 4)
        place = 8
        for _ in range(count):
            (item,) = struct.unpack_from(">I" if wide else ">H", content, place)
            place += 4 if wide else 2
            amount = content[place]
            place += 1
            self.links += amount + 1
            if self.links > MAX_LINKS:
                raise ExcessError("links between its items")
            for _ in range(amount):
                index = struct.unpack_from(">H", content, place)[0] & 0x7FFF if large else content[place] & 0x7F
                self.has[item].append(index - 1)
                place += 2 if large else 1

    def place(self, item: int) -> int:
        """Where an item's bytes begin."""
        method, offset, _ = self.extents[item][0] if self.extents.get(item) else (0, len(self.data), 0)
        return offset + (self.stored[0] if method == 1 else 0)

    def av1(self, place: int) -> Size:
        return _tried(coded_size.of_av1, self.data[place : place + HEADER])

    def measure(self) -> None:
        """Adds what the items themselves say of their sizes, and checks what they share."""
        lengths = {item: sum(length for _, _, length in extents) for item, extents in self.extents.items()}
        described = sum(lengths.get(item, 0) * count for item, count in self.described.items())
        if max(sum(lengths.values()), described) > 2 * len(self.data):
            raise ExcessError("bytes in its items")
        for item, kind in self.kinds.items():
            size, place = (0, 0), self.place(item)
            head = self.data[place : place + 20]
            if kind == b"av01":
                size = self.av1(place)
            elif kind in (b"grid", b"iovl") and len(head) == 20:
                size = struct.unpack_from(">II" if head[1] & 1 else ">HH", head, 4 if kind == b"grid" else 10)
            self.sizes.append(size)
            self.properties.append(size)
            self.has[item].append(len(self.properties) - 1)

    def check_parts(self, most: int) -> None:
        """Follows what each item is made of, of so many pixels at most. Raises `ExcessError`."""
        costs: dict[int, tuple[int, int]] = {}

        def cost(item: int, above: tuple[int, ...]) -> tuple[int, int]:
            """Pixels to be decoded or put together, and layers."""
            if item in above or len(above) > MAX_LAYERS:
                raise ExcessError("layers")
            if item not in costs:
                own = max((_area(self.properties[at]) for at in self.has[item] if at < len(self.properties)), default=0)
                inner = [cost(part, (*above, item)) for part in self.parts.get(item, ())]
                costs[item] = (
                    max(own, 1) + sum(pixels for pixels, _ in inner),
                    1 + max((layers for _, layers in inner), default=0),
                )
            pixels, layers = costs[item]
            if len(above) + layers > MAX_LAYERS:
                raise ExcessError("layers")
            if pixels > most:
                raise ExcessError("pixels in its parts")
            return pixels, layers

        for item in list(self.kinds):
            cost(item, ())


def largest(data: bytes) -> Size:
    """The size of the largest picture in the file by any header. Raises `ExcessError`."""
    found = Boxes(data)
    with suppress(struct.error, IndexError):  # it breaks off
        found.walk(0, len(data))
    found.measure()
    size = max(found.sizes, key=_area, default=(0, 0))
    found.check_parts(MAX_WORK * max(_area(size), SMALL))
    return size


def code_points(data: bytes) -> tuple[int, int] | None:
    """H.273's primaries and transfer of an AVIF's picture: as its box says, or where there is none its frame."""
    found = Boxes(data)
    with suppress(struct.error, IndexError, ExcessError):
        found.walk(0, len(data))
    item = found.primary
    for at in (*found.has[item], -1):
        if at in found.colours:
            return found.colours[at]
    for _ in range(MAX_LAYERS):
        item = next(iter(found.parts.get(item, ())), item)  # of a grid, the first tile's
    place = found.place(item)
    with suppress(IndexError):
        return coded_size.colours_of_av1(data[place : place + HEADER])
    return None


def _area(size: Size) -> int:
    return size[0] * size[1]


def _tried(read: Callable[[bytes], Size], content: bytes) -> Size:
    try:
        return read(content)
    except IndexError:
        return 0, 0
