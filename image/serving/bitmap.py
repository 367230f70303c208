"""BMP files of bit masks, which Pillow reads few of: as browsers do.

https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapv5header
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from PIL import Image, ImageChops

from serving.kinds import NotSupportedError

RGB, BIT_FIELDS, ALPHA_BIT_FIELDS = 0, 3, 6
COMPRESSIONS = {4: "JPEG", 5: "PNG", 11: "CMYK", 12: "CMYK", 13: "CMYK"}
EMBEDDED = int.from_bytes(b"MBED", "big")
CALIBRATED = 0


@dataclass(frozen=True, slots=True)
class Masked:
    """A picture whose pixels are numbers of 16, 24 or 32 bits, cut into channels by masks."""

    data: bytes
    size: tuple[int, int]
    upward: bool
    bits: int
    masks: tuple[int, int, int, int]
    start: int

    def decoded(self) -> Image.Image:
        """RGB, or RGBA where anything of it can be seen. Raises `OSError` where the file breaks off."""
        count = self.bits // 8
        width, height = self.size
        stride = (width * count + 3) // 4 * 4
        if len(self.data) < self.start + stride * height:
            raise OSError("the file breaks off")
        mode = {2: "LA", 3: "RGB", 4: "RGBA"}[count]
        pixels = self.data[self.start : self.start + stride * height]
        parts = Image.frombuffer(mode, self.size, pixels, "raw", mode, stride, -1 if self.upward else 1).split()
        channels = [_channel(parts, mask) for mask in self.masks if mask]
        # Alpha that is 0 everywhere was written by somebody who knew of none.
        if len(channels) == 4 and channels[3].getextrema() != (0, 0):
            return Image.merge("RGBA", channels)
        return Image.merge("RGB", channels[:3])


def masked(data: bytes) -> Masked | None:
    """The picture, if it is one of masks; None for those that Pillow reads. Raises `NotSupportedError`."""
    (start, header) = struct.unpack_from("<II", data, 10)
    if header < 40:
        return None
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if compression in COMPRESSIONS:
        raise NotSupportedError(f"that hold a {COMPRESSIONS[compression]} picture")
    fields = compression in (BIT_FIELDS, ALPHA_BIT_FIELDS) and header != 64  # OS/2's has other numbers there
    if bits not in (16, 24, 32) or not (fields or (compression == RGB and header >= 108)) or width <= 0:
        return None
    masks = struct.unpack_from("<3I", data, 54)
    alpha = 0
    if header >= 56 or compression == ALPHA_BIT_FIELDS:
        (alpha,) = struct.unpack_from("<I", data, 66)
    if not fields:
        if bits != 32:
            return None
        masks = (0xFF0000, 0xFF00, 0xFF)
    if not all(masks) or any(mask >> bits or "01" in f"{mask:b}" for mask in (*masks, alpha)):
        raise NotSupportedError("of bit masks with gaps or without a colour")
    return Masked(data, (width, abs(height)), height > 0, bits, (*masks, alpha), start)


def _channel(parts: tuple[Image.Image, ...], mask: int) -> Image.Image:
    """8 bits of the channel: each byte of the pixel adds what its bits under the mask are worth."""
    low = (mask & -mask).bit_length() - 1
    most = mask >> low
    channel = Image.new("L", parts[0].size)
    for place, part in enumerate(parts):
        under = mask >> (8 * place) & 0xFF
        if not under:
            continue
        worth = [round(255 * ((value & under) << (8 * place) >> low) / most) for value in range(256)]
        channel = ImageChops.add(channel, part.point(worth))
    return channel


def calibration(data: bytes) -> tuple[tuple[tuple[float, float], ...], tuple[float, ...]] | None:
    """The chromaticities and gammas of red, green and blue that a V4 or V5 header says."""
    header = struct.unpack_from("<I", data, 14)[0]
    if header < 108 or struct.unpack_from("<I", data, 70)[0] != CALIBRATED:
        return None
    ends = [number / 2**30 for number in struct.unpack_from("<9i", data, 74)]
    gammas = tuple(number / 65536 for number in struct.unpack_from("<3I", data, 110))
    return ((ends[0], ends[1]), (ends[3], ends[4]), (ends[6], ends[7])), gammas


def profile(data: bytes) -> bytes | None:
    """The ICC profile that a V5 header embeds."""
    (header,) = struct.unpack_from("<I", data, 14)
    if header < 124 or struct.unpack_from("<I", data, 70)[0] != EMBEDDED:
        return None
    place, size = struct.unpack_from("<II", data, 126)
    return data[14 + place : 14 + place + size]
