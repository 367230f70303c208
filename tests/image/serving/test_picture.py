"""Every format, mode and orientation ends as what a person sees; all else ends in two kinds of refusal."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from serving import kinds, picture
from serving import seen as looks

from tests.image.samples import LAID

Encode = Callable[..., bytes]

FORMATS = [
    ("JPEG", {"quality": 95, "subsampling": 0}),
    ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("GIF", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
]


def difference(image: Image.Image, other: Image.Image) -> float:
    """The mean distance of two pictures of one size, in steps of 255."""
    assert image.size == other.size
    return float(np.abs(np.asarray(image, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize(("kind", "options"), FORMATS)
def test_every_format_is_read(kind: str, options: dict[str, object], scene: Image.Image, encode: Encode) -> None:
    data = encode(scene, kind, **options)
    assert kinds.sniff(data) == kind
    seen = picture.read(data)
    assert (seen.format, seen.size, seen.image.mode, seen.truncated) == (kind, (48, 32), "RGB", False)
    assert difference(seen.image, scene) < 2


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"),
        ("1", "TIFF"),
        ("L", "PNG"),
        ("L", "JPEG"),
        ("L", "WEBP"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("P", "BMP"),
        ("RGBA", "PNG"),
        ("RGBA", "WEBP"),
        ("RGBA", "TIFF"),
        ("RGBX", "TIFF"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "JPEG"),
        ("YCbCr", "TIFF"),
        ("LAB", "TIFF"),
        ("I;16", "PNG"),
        ("I;16", "TIFF"),
        ("I", "TIFF"),
        ("F", "TIFF"),
    ],
)
def test_every_mode_looks_the_same(mode: str, kind: str, scene: Image.Image, encode: Encode) -> None:
    if mode in ("I;16", "I"):
        deep = np.asarray(scene.convert("L")).astype(np.uint16 if mode == "I;16" else np.int32) * 257
        image = Image.fromarray(deep)
    elif mode == "F":
        image = Image.fromarray(np.asarray(scene.convert("L")).astype(np.float32) / 255)
    elif mode == "LAB":
        image = scene.convert("LAB")
    elif mode == "P":
        image = scene.convert("P", palette=Image.Palette.ADAPTIVE).convert(mode)
    else:
        image = scene.convert(mode)
    assert image.mode == mode
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    seen = picture.read(encode(image, kind, **options)).image
    assert seen.mode == "RGB"
    grey = mode in ("L", "LA", "I;16", "I", "F")
    expected = scene.convert("1").convert("RGB") if mode == "1" else scene
    expected = scene.convert("L").convert("RGB") if grey else expected
    assert difference(seen, expected) < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_ends_upright(kind: str, orientation: int, scene: Image.Image, encode: Encode) -> None:
    turn = LAID[orientation]
    laid = scene.transpose(turn) if turn is not None else scene
    exif = Image.Exif()
    exif[0x0112] = orientation
    faithful: dict[str, dict[str, object]] = {"JPEG": {"quality": 95, "subsampling": 0}}
    seen = picture.read(encode(laid, kind, exif=exif, **faithful.get(kind, {}))).image
    assert difference(seen, scene) < 4
    assert looks.as_seen(seen).tobytes() == seen.tobytes()  # turned once, not twice


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 90])
def test_broken_exif_is_no_reason_to_refuse(exif: bytes, scene: Image.Image, encode: Encode) -> None:
    assert difference(picture.read(encode(scene, "JPEG", quality=95, exif=exif)).image, scene) < 4


def test_transparent_parts_lie_over_white(scene: Image.Image, encode: Encode) -> None:
    image = scene.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(scene.size))
    expected = Image.new("RGBA", scene.size, "white")
    expected.alpha_composite(image)
    for kind in ("PNG", "TIFF"):
        assert difference(picture.read(encode(image, kind)).image, expected.convert("RGB")) < 1


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
def test_a_colour_declared_transparent_lies_over_white(mode: str, encode: Encode) -> None:
    image = Image.new(mode, (8, 8), 0)
    clear = (0, 0, 0) if mode == "RGB" else 0
    seen = picture.read(encode(image, "PNG", transparency=clear)).image
    assert seen.getextrema() == ((255, 255),) * 3


def test_an_animation_is_its_first_frame(scene: Image.Image, encode: Encode) -> None:
    other = Image.new("RGB", scene.size, "black")
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("AVIF", {})):
        data = encode(scene, kind, save_all=True, append_images=[other, other], **options)
        assert difference(picture.read(data).image, scene) < 4


def test_a_large_photo_is_decoded_coarsely_and_looks_the_same_to_the_model(encode: Encode) -> None:
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8))
    photo = rough.resize((4000, 3000), Image.Resampling.BICUBIC)
    for kind, options in (("JPEG", {"quality": 85}), ("PNG", {"compress_level": 1})):
        data = encode(photo, kind, **options)
        coarse, full = picture.read(data, needed=(256, 256)), picture.read(data)
        assert (coarse.size, full.image.size) == ((4000, 3000), (4000, 3000))
        assert coarse.image.size == (2000, 1500)
        small = [one.image.resize((256, 256), Image.Resampling.BICUBIC) for one in (coarse, full)]
        distance = np.abs(np.asarray(small[0], float) - np.asarray(small[1], float))
        assert distance.max() <= 1


def test_a_jpeg_that_breaks_off_is_taken_as_far_as_it_goes(scene: Image.Image, encode: Encode) -> None:
    whole = encode(scene.resize((480, 320)), "JPEG", quality=90)
    seen = picture.read(whole[: len(whole) * 3 // 4])
    assert seen.truncated
    top = (0, 0, 480, 100)
    assert difference(seen.image.crop(top), picture.read(whole).image.crop(top)) < 1
    with pytest.raises(picture.UnsupportedImageError):
        picture.read(whole[:100])  # not even the tables


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_other_formats_must_be_whole(kind: str, scene: Image.Image, encode: Encode) -> None:
    whole = encode(scene.resize((480, 320)), kind)
    with pytest.raises(picture.UnsupportedImageError, match=f"this {kind} file is broken"):
        picture.read(whole[: len(whole) // 2])


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, pixels, b"IEND")
    )


def jpeg_header(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    data = file.getvalue()
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


@pytest.mark.parametrize(
    "data",
    [
        png_header(5001, 5000),
        png_header(50_000, 50_000),
        png_header(2**31 - 1, 2**31 - 1),
        png_header(65_536, 1),
        jpeg_header(7100, 7100),
        jpeg_header(65_500, 65_500),
        b"GIF89a\xff\xff\xff\xff\0\0\0" + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x4c\x01\0;",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
    ],
)
def test_too_many_pixels_are_refused_by_the_header(data: bytes) -> None:
    with pytest.raises(picture.ImageTooLargeError, match="shrink it"):
        picture.read(data, needed=(256, 256))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"%PDF-1.7", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "no picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF file is broken"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "videos cannot be read: send a picture"),
        (b"\xff\xd8\xff", "JPEG file is broken"),
        (b"\x89PNG\r\n\x1a\n", "PNG file is broken"),
        (b"GIF89a", "GIF file is broken"),
        (b"BM", "BMP file is broken"),
        (b"RIFF\0\0\0\0WEBP", "WEBP file is broken"),
        (b"II*\0", "TIFF file is broken"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF file is broken"),
    ],
)
def test_what_is_no_picture_is_said(data: bytes, message: str) -> None:
    with pytest.raises(picture.UnsupportedImageError, match=message):
        picture.read(data)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_odd_sizes_are_read(size: tuple[int, int], encode: Encode) -> None:
    for kind in ("PNG", "JPEG", "BMP"):
        seen = picture.read(encode(Image.new("RGB", size, "red"), kind), needed=(256, 256))
        assert seen.image.size == size
