"""A photo before it is sent."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lambdacap.errors import PhotoError
from lambdacap.photo import LIMIT, prepare

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
    [
        ("jpg", "image/jpeg"),
        ("png", "image/png"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("bmp", "image/bmp"),
        ("tiff", "image/tiff"),
    ],
)
def test_a_small_picture_goes_as_it_is(suffix: str, media_type: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo.{suffix}"
    picture().save(path)
    photo = prepare(path)
    assert (photo.name, photo.content, photo.media_type) == (path.name, path.read_bytes(), media_type)


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    picture().save(path, "PNG")
    assert prepare(path).media_type == "image/png"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"there is no file .*gone\.jpg"):
        prepare(tmp_path / "gone.jpg")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="cannot be read: Is a directory"):
        prepare(tmp_path)


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PhotoError, match="cannot be read: Not a directory"):
        prepare(tmp_path / "file" / "photo.jpg")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"%PDF-1.7", b"\x00" * 100])
def test_what_is_no_picture(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="is not a picture that can be read") as caught:
        prepare(path)
    assert "JPEG" in caught.value.hint


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
