"""Whole pictures of rare kinds: seen as browsers show them, or refused by name, and never taken for broken."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from serving import colour, picture
from serving.colour import PRIMARIES, TRANSFERS

from tests.image import isobmff
from tests.image.kinds import bmp, chrm, grey_png, in_colours, kinds, masked, png_of, said_by_frame
from tests.image.samples import encode, png_chunk, turned, with_chunks

Pixels = NDArray[Any]


def difference(image: Image.Image, other: Image.Image) -> float:
    """The mean distance of two pictures of one size, in steps of 255."""
    assert image.size == other.size
    return float(np.abs(np.asarray(image, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize(
    ("primaries", "published"),
    [  # of profiles that others made of the same primaries: Display P3 and Rec. 2020, adapted to D50
        (12, ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))),
        (9, ((0.6735, 0.2790, -0.0019), (0.1657, 0.6753, 0.0300), (0.1251, 0.0456, 0.7969))),
    ],
)
def test_primaries_are_the_published_ones(primaries: int, published: tuple[tuple[float, ...], ...]) -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(colour.from_code_points(primaries, 13) or b"")).profile
    for found, expected in zip(
        (profile.red_colorant, profile.green_colorant, profile.blue_colorant), published, strict=True
    ):
        assert found
        assert found[0] == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("transfer", "code", "light"),
    [
        (13, 0.5, 0.2140),  # IEC 61966-2-1
        (13, 0.04, 0.0031),
        (1, 0.5, 0.1895),  # ITU-R BT.1886, in PNG
        (4, 0.5, 0.2176),
        (5, 0.5, 0.1436),
        (7, 0.5, 0.2649),  # SMPTE 240M
        (7, 0.08, 0.02),
        (8, 0.5, 0.5),
        (16, 0.5081, 100 / 203),  # SMPTE ST 2084: the code of 100 cd/m²
        (16, 0.5807, 1.0),  # and of 203
        (18, 0.75, 1.0),  # ITU-R BT.2408: 75 % is paper's white
        (18, 0.5, 1000 / 203 * (1 / 12) ** 1.2),
    ],
)
def test_curves_are_the_published_ones(transfer: int, code: float, light: float) -> None:
    profile = colour.from_code_points(9, transfer, video=transfer == 1) or b""
    start = profile.index(b"curv")
    (count,) = struct.unpack_from(">I", profile, start + 8)
    curve = np.frombuffer(profile, ">u2", count, start + 12) / 65535
    assert np.interp(code, np.linspace(0, 1, count), curve) == pytest.approx(light, rel=0.01, abs=0.0005)


@pytest.mark.parametrize("transfer", [13, *sorted(TRANSFERS)])
@pytest.mark.parametrize("primaries", [1, 9, 12])
def test_code_points_come_to_srgb(primaries: int, transfer: int, scene: Image.Image) -> None:
    profile = colour.from_code_points(primaries, transfer)
    laid = scene if profile is None else in_colours(scene, profile)
    assert (difference(laid, scene) > 0.2) == ((primaries, transfer) != (1, 13))
    chunk = (b"cICP", bytes([primaries, transfer, 0, 1]))
    wrong = (b"gAMA", struct.pack(">I", 20_000))  # counts for less
    assert difference(picture.read(with_chunks(encode(laid, "PNG"), wrong, chunk)).image, scene) < 3
    avif = encode(laid, "AVIF", quality=100, subsampling="4:4:4")
    place = avif.index(b"colrnclx") + 8
    avif = avif[:place] + struct.pack(">HH", primaries, transfer) + avif[place + 4 :]
    assert difference(picture.read(avif).image, scene) < 4
    heic = encode(
        laid, "HEIF", quality=100, chroma=444, save_nclx_profile=True, color_primaries=primaries,
        transfer_characteristics=transfer,
    )  # fmt: skip
    assert difference(picture.read(heic).image, scene) < 5


def test_the_colours_of_an_avif_are_those_of_its_own_item() -> None:
    linear = isobmff.box(b"colr", b"nclx", struct.pack(">HHHB", 1, 8, 6, 128))
    plain = isobmff.picture("AVIF", 64, 64)
    plain.properties.append(linear)
    right = picture.read(plain.encoded()).image
    assert right.getpixel((9, 9)) == pytest.approx((254, 0, 0), abs=3)
    grey = isobmff.File("AVIF", properties=list(plain.properties))
    content = encode(Image.new("RGB", (64, 64), (99, 99, 99)), "AVIF", quality=90)
    content = content[content.rindex(b"mdat") + 4 :]
    grey.add(isobmff.Item(b"av01", content, (1, 2)))
    assert picture.read(grey.encoded()).image.getpixel((9, 9)) == pytest.approx((99, 99, 99), abs=2)
    grey.items[0] = replace(grey.items[0], has=(1, 2, 3))
    assert picture.read(grey.encoded()).image.getpixel((9, 9)) == pytest.approx((167, 167, 167), abs=3)
    tiles = isobmff.File("AVIF", properties=[*plain.properties[:2], isobmff.ispe(128, 64)])
    tile = isobmff.Item(b"av01", said_by_frame(b"mdat" + content, 1, 8)[4:], (1, 2))
    tiles.items += [tile, tile]
    tiles.primary = tiles.add(isobmff.Item(b"grid", isobmff.grid(1, 2, 128, 64), (3,)), (1, 2))
    assert picture.read(tiles.encoded()).image.getpixel((99, 9)) == pytest.approx((167, 167, 167), abs=3)


@pytest.mark.parametrize("gamma", [0.3, 0.55, 1.0])
@pytest.mark.parametrize("primaries", [None, 1, 9])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_a_png_s_gamma_comes_to_srgb(gamma: float, primaries: int | None, mode: str, scene: Image.Image) -> None:
    grey = scene.convert("L").convert("RGB") if mode == "L" else scene
    profile = colour.from_gamma(gamma, PRIMARIES[primaries] if primaries else None)
    assert profile is not None
    laid = in_colours(grey, profile)
    laid = laid.quantize(256, dither=Image.Dither.NONE) if mode == "P" else laid.convert(mode)
    chunks = [(b"gAMA", struct.pack(">I", round(gamma * 1e5)))]
    chunks += [(b"cHRM", chrm(primaries))] if primaries else []
    seen = picture.read(with_chunks(encode(laid, "PNG"), *chunks)).image
    assert difference(seen, grey) < (5 if mode == "P" else 3)
    plain = picture.read(with_chunks(encode(laid, "PNG"), *chunks, (b"sRGB", b"\0"))).image
    assert difference(plain, laid.convert("RGB")) < 0.01


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_profile_comes_to_srgb(kind: str, scene: Image.Image) -> None:
    profile = colour.written(PRIMARIES[10], lambda value: value**1.8)
    assert profile is not None
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 98, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
        "HEIF": {"quality": 100, "chroma": 444},
    }
    laid = in_colours(scene, profile)
    assert difference(laid, scene) > 10
    data = encode(laid, kind, icc_profile=profile, **options.get(kind, {}))
    assert difference(picture.read(data).image, scene) < 4
    broken = encode(scene, kind, icc_profile=profile[:200], **options.get(kind, {}))
    assert difference(picture.read(broken).image, scene) < 4


def test_orientation_is_exif_s_alone(scene: Image.Image) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("JPEG", {"quality": 95, "subsampling": 0, "xmp": xmp}),
        ("WEBP", {"lossless": True, "xmp": xmp}),
        ("AVIF", {"quality": 95, "xmp": xmp}),
        ("TIFF", {"tiffinfo": {700: xmp}}),
    )
    for kind, options in kinds:
        assert difference(picture.read(encode(scene, kind, **options)).image, scene) < 4
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp
    assert difference(picture.read(with_chunks(encode(scene, "PNG"), (b"iTXt", text))).image, scene) < 1
    # Browsers show WebP as it lies.
    assert picture.read(turned(scene, "WEBP", 6, lossless=True)).image.size == (scene.height, scene.width)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_clear_grey_is_white_at_every_depth(bits: int) -> None:
    most = (1 << bits) - 1
    values = np.arange(256).reshape(16, 16) * most // 255
    seen = np.asarray(picture.read(grey_png(values, bits, key=0)).image)[:, :, 0]
    assert (seen[values == 0] == 255).all()
    assert np.abs(seen[values > 0] - values[values > 0] * 255 // most).max() <= 1


def test_a_clear_colour_of_16_bits_is_white() -> None:
    rows = np.zeros((4, 4, 3), ">u2")
    rows[:, 2:] = (0x8080, 0x2020, 0xFFFF)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    data = png_of(4, 4, 16, 2, lines, (b"tRNS", struct.pack(">3H", 0, 0, 0)))
    seen = np.asarray(picture.read(data).image)
    assert (seen[:, :2] == 255).all()
    assert (seen[:, 2:] == (0x80, 0x20, 0xFF)).all()


def test_the_default_image_apart_is_not_shown(scene: Image.Image) -> None:
    hidden = Image.new("RGB", scene.size, "black")
    for frames in (1, 2):
        more = [scene] * frames
        data = encode(hidden, "PNG", save_all=True, default_image=True, append_images=more)
        assert difference(picture.read(data).image, scene) < 1


@pytest.mark.parametrize("clear", [False, True])
def test_what_a_gif_s_first_frame_leaves_free_is_white(clear: bool, scene: Image.Image) -> None:
    gif = encode(scene.quantize(64), "GIF", **({"transparency": 63} if clear else {}))
    width, height = scene.size
    frame = gif.index(b",\0\0\0\0" + struct.pack("<HH", width, height))
    larger = gif[:6] + struct.pack("<HH", width + 20, height + 30) + gif[10:]
    larger = larger[: frame + 1] + struct.pack("<HH", 7, 9) + larger[frame + 5 :]
    seen = picture.read(larger).image
    assert seen.size == (width + 20, height + 30)
    inside = (7, 9, 7 + width, 9 + height)
    assert difference(seen.crop(inside), picture.read(gif).image) < 1
    seen.paste("white", inside)
    assert seen.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (32, (0xFF, 0xFF00, 0xFF0000, 0)),
        (32, (0xFF000000, 0xFF0000, 0xFF00, 0)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
        (32, (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000)),
        (16, (0xF800, 0x7E0, 0x1F, 0)),
        (16, (0x1F, 0x7E0, 0xF800, 0)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
    ],
)
@pytest.mark.parametrize("header", [40, 56, 124])
def test_bit_masks_of_every_layout(bits: int, masks: tuple[int, ...], header: int, scene: Image.Image) -> None:
    numbers = masked(np.asarray(scene.convert("RGBA")), masks, alpha=header > 40)
    for alpha in (True, False):  # alpha of 0 everywhere is none
        kept = numbers if alpha or not masks[3] else numbers & (0xFFFFFFFF ^ masks[3])
        data = bmp(kept, bits, masks, header)
        assert difference(picture.read(data).image, scene) < (5 if 0xF in masks else 3)


def test_metadata_that_decoders_stumble_over_is_left_out(scene: Image.Image) -> None:
    png = encode(scene, "PNG")
    text = png_chunk(b"tEXt", b"Comment\0hello")
    long = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000)))
    for chunk in (text[:-4] + b"oops", long, png_chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(90_000_000)))):
        assert difference(picture.read(png[:33] + chunk + png[33:]).image, scene) < 1
    jpeg = encode(scene, "JPEG", quality=95, subsampling=0)
    plain = picture.read(jpeg).image
    for marker, content in (
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        (0xE0, b"JFIF"),
        (0xE1, b"Exif\0\0MM"),
        (0xE2, b"ICC_PROFILE\0\1"),
        (0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        (0xEE, b"Adobe"),
        (0xFE, b""),
    ):
        segment = struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content
        assert difference(picture.read(jpeg[:2] + segment + jpeg[2:]).image, plain) < 1


def test_only_what_breaks_off_is_called_truncated() -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (300, 400, 3), np.uint8))
    for progressive in (False, True):
        whole = encode(noise, "JPEG", quality=80, progressive=progressive)
        assert not picture.read(whole).truncated

        for cut in (whole[: len(whole) // 2], whole[: len(whole) // 2] + bytes(len(whole) // 2)):
            assert picture.read(cut).truncated
    # A whole file that cannot be decoded is broken, and no picture of which the rest is grey.
    tables = whole.index(b"\xff\xc4")
    with pytest.raises(picture.UnsupportedImageError, match="broken"):
        picture.read(whole[: tables + 4] + b"\xff" * 20 + whole[tables + 24 :])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a camera's raw file \\(Canon CR3\\)"),
        (b"II*\0\x10\0\0\0CR\2\0", "Canon CR2"),
        (b"IIRO\x08\0\0\0", "Olympus"),
        (b"FUJIFILMCCD-RAW 0201", "Fujifilm"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0", "PostScript"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"8BPS\0\1", "PSD"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\x1a\x45\xdf\xa3webm", "videos"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "videos"),
    ],
)
def test_what_is_not_supported_is_named(data: bytes, name: str) -> None:
    with pytest.raises(picture.UnsupportedImageError, match=name) as refused:
        picture.read(data)
    assert "broken" not in str(refused.value)


def test_one_picture_looks_the_same_in_every_kind(scene: Image.Image) -> None:
    """A tenth of what `tests/benchmarks/colours.py` compares with Chromium and ImageMagick."""
    right = {"colour": scene, "grey": scene.convert("L").convert("RGB")}
    for sample in list(kinds(scene))[::10]:
        try:
            seen = picture.read(sample.data)
        except picture.UnsupportedImageError as error:
            assert "not supported" in str(error), sample.name  # noqa: PT017
            continue
        assert not seen.truncated
        if sample.looks in right:
            assert difference(seen.image, right[sample.looks]) < 10, sample.name
