"""A photo before it is sent."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from serving import colour

from lambdacap.client.photo import LIMIT, prepare
from lambdacap.errors import InputError, PhotoError
from tests.image.samples import turned

ORIENTATION = 0x0112
BLUE, RED = (20, 30, 200), (200, 30, 20)


def picture(width: int = 40, height: int = 20) -> Image.Image:
    """Blue, with a red left quarter."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width // 4, height))
    return image


def noise(width: int, height: int) -> Image.Image:
    """A picture that no encoder makes small."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp"), ("bmp", "image/bmp")],
)
def test_a_small_picture_goes_as_it_is(suffix: str, media_type: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo.{suffix}"
    picture().save(path)
    photo = prepare(path)
    assert (photo.name, photo.content, photo.media_type) == (path.name, path.read_bytes(), media_type)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tiff", "avif"])
def test_what_is_sent_looks_the_same(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo.{suffix}"
    picture(64, 64).save(path)
    photo = prepare(path)
    with Image.open(io.BytesIO(photo.content)) as sent:
        assert sent.get_format_mimetype() == photo.media_type
        difference = np.asarray(sent.convert("RGB")).astype(int) - np.asarray(picture(64, 64))
    assert np.abs(difference).mean() < 3


def test_an_iphone_s_picture_goes_upright_as_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(turned(picture(128, 64), "HEIF", 6, quality=95))
    photo = prepare(path)
    assert photo.media_type == "image/jpeg"
    with Image.open(io.BytesIO(photo.content)) as sent:
        assert sent.size == (128, 64)
        assert not sent.getexif()
        difference = np.asarray(sent).astype(int) - np.asarray(picture(128, 64))
    assert np.abs(difference).mean() < 6


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    picture().save(path, "PNG")
    assert prepare(path).media_type == "image/png"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*gone\.jpg"):
        prepare(tmp_path / "gone.jpg")


def test_an_address(tmp_path: Path) -> None:
    with pytest.raises(InputError) as failed:
        prepare(Path("https://example.com/photo.jpg"))
    assert "download it first" in failed.value.hint
    with pytest.raises(InputError) as failed:
        prepare(tmp_path / "gone.jpg")
    assert not failed.value.hint


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        prepare(tmp_path)


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be read: Not a directory"):
        prepare(tmp_path / "file" / "photo.jpg")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"%PDF-1.7", b"\x00" * 100])
def test_what_is_no_picture(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="is not a picture that can be read") as caught:
        prepare(path)
    assert "JPEG" in caught.value.hint


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff"])
def test_what_is_sent_is_upright(suffix: str, orientation: int, tmp_path: Path) -> None:
    path = tmp_path / f"photo.{suffix}"
    image = picture(64, 48)
    image.paste((250, 250, 250), (0, 0, 64, 12))  # no two of its eight turns look alike
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(path, exif=exif)
    with Image.open(path) as stored:
        seen = ImageOps.exif_transpose(stored).convert("RGB")
    with Image.open(io.BytesIO(prepare(path).content)) as sent:
        assert not sent.getexif()
        assert sent.size == seen.size
        assert np.abs(np.asarray(sent.convert("RGB")).astype(int) - np.asarray(seen)).mean() < 3


def test_the_original_goes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    noise(2400, 1600).save(path, quality=100, subsampling=0, exif=exif)
    photo = prepare(path, original=True)
    assert (photo.content, photo.media_type) == (path.read_bytes(), "image/jpeg")
    assert len(photo.content) > LIMIT


def test_few_bytes_of_many_pixels_are_shrunk(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    picture(6000, 5000).save(path)
    assert path.stat().st_size < LIMIT
    photo = prepare(path)
    with Image.open(io.BytesIO(photo.content)) as sent:
        assert (photo.media_type, sent.size) == ("image/jpeg", (2048, 1707))


def test_more_pixels_than_anybody_has(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(PhotoError, match="too large"):
        prepare(path)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    path = tmp_path / "photo.gif"
    image = Image.new("P", (64, 64), 0)
    image.putpalette([0, 0, 0, 200, 30, 20])
    image.paste(1, (0, 0, 32, 64))
    image.save(path, transparency=0)
    with Image.open(io.BytesIO(prepare(path).content)) as sent:
        pixels = np.asarray(sent)
    assert np.allclose(pixels[30, 10], RED, atol=12)
    assert np.allclose(pixels[30, 54], 255, atol=12)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_grey_keeps_its_shades(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.tiff"
    shades = np.tile(np.linspace(0, 65_535, 64), (64, 1))
    kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    Image.fromarray(shades.astype(kinds[mode])).save(path)
    with Image.open(path) as stored:
        assert stored.mode == mode
    with Image.open(io.BytesIO(prepare(path).content)) as sent:
        row = np.asarray(sent)[32, :, 0].astype(float)
    assert np.abs(row - np.linspace(0, 255, 64)).max() < 8


def test_a_large_turned_photo_is_shrunk_and_upright(tmp_path: Path) -> None:
    """Orientation 6: a camera held upright; what is stored on the left belongs on top."""
    path = tmp_path / "photo.jpg"
    image = noise(2400, 1600)
    image.paste(RED, (0, 0, 600, 1600))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image.save(path, quality=100, subsampling=0, exif=exif)
    assert path.stat().st_size > LIMIT
    photo = prepare(path)
    assert len(photo.content) <= LIMIT
    assert photo.media_type == "image/jpeg"
    with Image.open(io.BytesIO(photo.content)) as sent:
        assert sent.height > sent.width
        assert sent.getexif().get(ORIENTATION, 1) == 1
        top, bottom = np.asarray(sent)[:40].mean((0, 1)), np.asarray(sent)[-40:].mean((0, 1))
    assert top[0] > 150 > top[2] + 80
    assert abs(bottom[0] - bottom[2]) < 20


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "LA"])
def test_a_large_picture_of_any_mode_is_shrunk(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.tiff"
    noise(2300, 2300).convert(mode).save(path)
    assert path.stat().st_size > LIMIT
    photo = prepare(path)
    assert len(photo.content) <= LIMIT
    with Image.open(io.BytesIO(photo.content)) as sent:
        assert (sent.format, sent.mode) == ("JPEG", "RGB")


def test_a_large_file_that_ends_too_early(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    noise(1600, 1600).save(path)
    path.write_bytes(path.read_bytes()[: LIMIT + 1000])
    with pytest.raises(PhotoError, match="is not a picture that can be read"):
        prepare(path)


def test_what_browsers_show_as_it_lies_is_sent_so(tmp_path: Path) -> None:
    path = tmp_path / "photo.webp"
    path.write_bytes(turned(picture(64, 48), "WEBP", 6, lossless=True))
    photo = prepare(path)
    assert photo.media_type == "image/webp"
    with Image.open(io.BytesIO(photo.content)) as sent:
        assert sent.size == (48, 64)
        assert not sent.getexif()


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG"])
def test_colours_of_what_is_drawn_anew_come_to_srgb(kind: str, tmp_path: Path) -> None:
    """A gamma of 1, which makes (188, 188, 188) of what is stored as (128, 128, 128)."""
    wide = Path(tmp_path / f"photo.{kind}")
    image = Image.new("RGB", (3000, 2000), (128, 128, 128))
    if kind == "PNG":
        stream = io.BytesIO()
        noise(2200, 2200).point(lambda value: 96 + value // 4).save(stream, "PNG")
        data = stream.getvalue()
        chunk = struct.pack(">I4sI", 4, b"gAMA", 100_000)
        wide.write_bytes(data[:33] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + data[33:])
        assert wide.stat().st_size > LIMIT
    else:
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        profile = colour.written(colour.SRGB, lambda value: value)
        image.save(wide, kind, icc_profile=profile, exif=exif)
    photo = prepare(wide)
    assert photo.media_type == "image/jpeg"
    with Image.open(io.BytesIO(photo.content)) as sent:
        assert "icc_profile" not in sent.info
        assert abs(np.asarray(sent).mean() - 188) < 3


def test_a_cut_photo_that_is_drawn_anew_is_told(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stream = io.BytesIO()
    noise(400, 300).save(stream, "JPEG", exif=exif)
    path = tmp_path / "photo.jpg"
    path.write_bytes(stream.getvalue())
    assert not prepare(path).truncated
    path.write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    assert prepare(path).truncated


def test_no_program_is_started_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    for name in ("gs", "gswin64c", "convert"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho $0 >> {told}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(PhotoError, match="PostScript, which is not supported"):
        prepare(path)
    assert not told.exists()
