"""What a file is by its first bytes: what a caller says of it is often wrong."""

from __future__ import annotations

_SOUND = (b"fLaC", b"OggS", b"ID3", b".snd", b"caff")
_RIFF = {b"WAVE": "sound", b"WEBP": "picture"}
_FORM = (b"AIFF", b"AIFC")


def kind(data: bytes) -> str | None:
    """`picture`, `sound` or None."""
    from serving import kinds

    if data.startswith(_SOUND) or (data[:4] in (b"FORM",) and data[8:12] in _FORM) or _is_mpeg(data):
        return "sound"
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] in _RIFF:
        return _RIFF[data[8:12]]
    return "picture" if kinds.sniff(data) else None


def _is_mpeg(data: bytes) -> bool:
    """A frame of MPEG audio: eleven bits set, and neither version, layer, bit rate nor rate of a value that is none."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    version, layer, bits, rate = data[1] >> 3 & 3, data[1] >> 1 & 3, data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and layer != 0 and bits != 15 and rate != 3
