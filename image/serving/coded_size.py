"""What frames of AV1 and HEVC say in their own headers: how large they are, which decoders go by whatever the file says
around it, and AV1's colours, which they go by where the file says none.
"""

from __future__ import annotations

Size = tuple[int, int]
MAX_SETS = 100  # parameter sets that are read of a file; there are three, and libde265 knows numbers up to 63


class Bits:
    """Bytes, read bit by bit from the left. Raises `IndexError` past the end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise IndexError(count)
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An unsigned number in Exp-Golomb code: ITU-T H.265, 9.2."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def of_av1(units: bytes) -> Size:
    """(width, height) by the first sequence header among open bitstream units; (0, 0) without one.

    AV1 Bitstream & Decoding Process Specification, 5.3 and 5.5. Raises `IndexError` where they break off.
    """
    bits = _av1_header(units)
    return _av1_sequence(bits)[:2] if bits else (0, 0)


def colours_of_av1(units: bytes) -> tuple[int, int] | None:
    """H.273's primaries and transfer, from the same place: 5.5.2; None where nothing is said."""
    bits = _av1_header(units)
    if bits is None:
        return None
    _, _, profile, reduced = _av1_sequence(bits)
    _av1_tools(bits, reduced=reduced)
    if bits.take(1) and profile == 2:  # more than 8 bits
        bits.take(1)
    if profile != 1:
        bits.take(1)
    return (bits.take(8), bits.take(8)) if bits.take(1) else None


def _av1_header(units: bytes) -> Bits | None:
    """What follows in the first sequence header."""
    place = 0
    while place < len(units):
        kind = units[place] >> 3 & 15
        start = place + 1 + (units[place] >> 2 & 1)
        end = len(units)
        if units[place] & 2:
            length = shift = 0
            while True:
                byte = units[start]
                length |= (byte & 127) << shift
                start, shift = start + 1, shift + 7
                if byte < 128 or shift > 56:
                    break
            end = start + length
        if kind == 1:
            return Bits(units[start : min(end, start + 200)])
        place = end
    return None


def _av1_sequence(bits: Bits) -> tuple[int, int, int, bool]:
    """Width, height, profile, and whether it is one of a still picture that says little."""
    profile, _, reduced = bits.take(3), bits.take(1), bool(bits.take(1))
    if reduced:
        bits.take(5)
    else:
        _av1_operating_points(bits)
    width, height = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width) + 1, bits.take(height) + 1, profile, reduced


def _av1_tools(bits: Bits, *, reduced: bool) -> None:
    """What stands between size and colours."""
    if not reduced and bits.take(1):  # numbers of frames
        bits.take(7)
    bits.take(3)
    if not reduced:
        bits.take(4)
        ordered = bits.take(1)
        bits.take(2 * ordered)
        if bits.take(1) or bits.take(1):  # content of screens: chosen for each frame, or always
            bits.take(0 if bits.take(1) else 1)
        bits.take(3 * ordered)
    bits.take(3)


def _av1_operating_points(bits: Bits) -> None:
    delay = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            bits.golomb()
        if bits.take(1):  # the decoder's model
            delay = bits.take(5) + 1
            bits.take(42)
    displayed = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay and bits.take(1):
            bits.take(2 * delay + 1)
        if displayed and bits.take(1):
            bits.take(4)


def of_hevc(configuration: bytes) -> Size:
    """(width, height), the largest by the sequence parameter sets of an `hvcC` box's content; (0, 0) without one.

    ISO/IEC 14496-15, 8.3.2; ITU-T H.265, 7.3.2.2. Raises `IndexError` where it breaks off.
    """
    largest, place, left = (0, 0), 23, MAX_SETS
    for _ in range(configuration[22]):
        kind = configuration[place] & 63
        count = int.from_bytes(configuration[place + 1 : place + 3], "big")
        place += 3
        for _ in range(count):
            end = place + 2 + int.from_bytes(configuration[place : place + 2], "big")
            left -= 1
            if end > len(configuration) or left < 0:
                raise IndexError(end)
            if kind == 33:
                size = _hevc_sequence(configuration[place + 2 : min(end, place + 300)])
                largest = max(largest, size, key=lambda each: each[0] * each[1])
            place = end
    return largest


def _hevc_sequence(unit: bytes) -> Size:
    bits = Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)  # nesting; profile, tier and level
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    return bits.golomb(), bits.golomb()
