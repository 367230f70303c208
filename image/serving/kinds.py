"""What a file is, by its first bytes: the formats that are read, and a name for what is not."""

from __future__ import annotations

from binascii import a2b_base64


class NotSupportedError(Exception):
    """The file is whole, and of a kind that is not read; the text says which, after "… files"."""


READABLE = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC"
# What ISO media files may call themselves: https://mp4ra.org/registered-types/brands
BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIF"
)
RAW = "a camera's raw file"
VIDEO = "a video"
OTHER_BRANDS = {b"crx ": f"{RAW} (Canon CR3)", b"jpeg": "JPEG", b"j2ki": "JPEG 2000", b"avci": "H.264"}
OTHER_BRANDS |= {b"vvic": "H.266", b"M4A ": "sound", b"M4B ": "sound"}

# (where, which bytes): what it is. The first that fits counts.
NAMES: tuple[tuple[int, bytes, str], ...] = (
    (8, b"CR\x02", f"{RAW} (Canon CR2)"),
    (0, b"IIRO", f"{RAW} (Olympus ORF)"),
    (0, b"IIRS", f"{RAW} (Olympus ORF)"),
    (0, b"MMOR", f"{RAW} (Olympus ORF)"),
    (0, b"IIU\0", f"{RAW} (Panasonic RW2)"),
    (0, b"FUJIFILMCCD-RAW", f"{RAW} (Fujifilm RAF)"),
    (0, b"FOVb", f"{RAW} (Sigma X3F)"),
    (0, b"\0MRM", f"{RAW} (Minolta MRW)"),
    (6, b"HEAPCCDR", f"{RAW} (Canon CRW)"),
    (8, b"IIII", f"{RAW} (Phase One IIQ)"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"%!", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"8BPS", "Photoshop's PSD"),
    (0, b"8BPB", "Photoshop's PSB"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (0, b"II\xbc", "JPEG XR"),
    (0, b"\0\0\1\0", "an icon (ICO)"),
    (0, b"\0\0\2\0", "a cursor (CUR)"),
    (0, b"icns", "an icon (ICNS)"),
    (0, b"qoif", "QOI"),
    (0, b"DDS ", "a texture (DDS)"),
    (0, b"\xabKTX ", "a texture (KTX)"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"gimp xcf", "GIMP's XCF"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"FLIF", "FLIF"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    (0, b"\x8aMNG\r\n\x1a\n", "MNG"),
    (0, b"\x8bJNG\r\n\x1a\n", "JNG"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)"),
    (40, b" EMF", "a Windows metafile (EMF)"),
    (0, b"/* XPM */", "XPM"),
    (0, b"#define ", "XBM"),
    *((0, b"P" + digit, "Netpbm (PBM, PGM, PPM)") for digit in (b"1", b"2", b"3", b"4", b"5", b"6", b"7")),
    (0, b"PF\n", "Netpbm (PFM)"),
    (0, b"Pf\n", "Netpbm (PFM)"),
    *((0, b"\x0a" + version, "PCX") for version in (b"\0", b"\2", b"\3", b"\4", b"\5")),
    (8, b"AVI ", VIDEO),
    (8, b"WAVE", "sound"),
    (0, b"\x1a\x45\xdf\xa3", VIDEO),
    (0, b"\0\0\1\xba", VIDEO),
    (0, b"\0\0\1\xb3", VIDEO),
    (0, b"FLV\1", VIDEO),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", VIDEO),
    (0, b"OggS", "sound or a video"),
    (0, b"ID3", "sound"),
    (0, b"fLaC", "sound"),
    (4, b"moov", VIDEO),
    (4, b"mdat", VIDEO),
    (4, b"wide", VIDEO),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    (0, b"Rar!", "an archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive"),
    (0, b"\x1f\x8b", "compressed (gzip)"),
)


def sniff(data: bytes) -> str | None:
    """The format of which the first bytes speak, among those that are read; None for all else."""
    if data[:3] == b"\xff\xd8\xff" and data[3:4] != b"\xf7":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:2] == b"BM":
        return "BMP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and _name(data) is None:
        return "TIFF"
    if data[4:8] == b"ftyp":
        return next((BRANDS[brand] for brand in _brands(data) if brand in BRANDS), None)
    return None


def unreadable(data: bytes) -> str:
    """Why a file that `sniff` knows not is no picture to be read, for the caller."""
    name = _name(data)
    if name == VIDEO:
        return f"videos cannot be read: send a picture ({READABLE} can be read)"
    if name is not None:
        return f"this is no picture that can be read but {name}, which is not supported: {READABLE} can be read"
    if data[:5] == b"data:" or _is_base64_of_a_picture(data):
        return "the body is a picture in base64: send the bytes themselves"
    return f"this is no picture that can be read: {READABLE} can"


def _name(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":
        return next((OTHER_BRANDS[brand] for brand in _brands(data) if brand in OTHER_BRANDS), VIDEO)
    for place, magic, name in NAMES:
        if data.startswith(magic, place):
            return name
    start = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<!doctype svg")) or (start.startswith((b"<?xml", b"<!--")) and b"<svg" in start):
        return "SVG"
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML)"
    return None


def _brands(data: bytes) -> list[bytes]:
    """The major brand, and for those that say no more than "a picture" (mif1) the compatible ones."""
    length = min(int.from_bytes(data[:4], "big"), 256)
    return [data[place : place + 4] for place in (8, *range(16, length, 4))]


def _is_base64_of_a_picture(data: bytes) -> bool:
    try:
        return sniff(a2b_base64(data[:64], strict_mode=True)) is not None
    except ValueError:
        return False
