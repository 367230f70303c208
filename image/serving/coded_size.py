"""How large a frame of AV1 or HEVC is by its own header: what decoders go by, whatever the file says around it."""

from __future__ import annotations

Size = tuple[int, int]


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
            return _av1_sequence(Bits(units[start : min(end, start + 200)]))
        place = end
    return 0, 0


def _av1_sequence(bits: Bits) -> Size:
    bits.take(4)  # profile, whether it is a still picture
    if bits.take(1):
        bits.take(5)
    else:
        _av1_operating_points(bits)
    width, height = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width) + 1, bits.take(height) + 1


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
    largest, place = (0, 0), 23
    for _ in range(configuration[22]):
        kind = configuration[place] & 63
        count = int.from_bytes(configuration[place + 1 : place + 3], "big")
        place += 3
        for _ in range(count):
            end = place + 2 + int.from_bytes(configuration[place : place + 2], "big")
            if end > len(configuration):
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
