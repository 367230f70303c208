"""What files tell beside their pixels goes; the pixels stay, bit for bit."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from lambdacap.client import metadata
from lambdacap.client.photo import prepare

SECRET = b"48.8584 N 2.2945 E"
GPS, MAKE, DESCRIPTION = 0x8825, 0x010F, 0x010E


def stripped(content: bytes) -> bytes | None:
    found = metadata.stripped(content)
    return found.content if found else None


def scene(seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC)


def exif() -> Image.Exif:
    """The place in three of the ways in which cameras write it."""
    tags = Image.Exif()
    tags[MAKE] = tags[DESCRIPTION] = SECRET.decode()
    tags.get_ifd(GPS)[29] = SECRET.decode()
    return tags


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def encoded(format: str, **options: Any) -> bytes:  # noqa: A002, ANN401 - Pillow's words
    stream = io.BytesIO()
    scene().save(stream, format, exif=exif(), **options)
    return stream.getvalue()


def jpeg(**options: Any) -> bytes:  # noqa: ANN401
    """With what Photoshop and others add, and a preview behind the picture, as phones have it."""
    content = encoded("JPEG", comment=SECRET, icc_profile=profile(), **options)
    more = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET) + segment(0xED, b"Photoshop 3.0\0" + SECRET)
    more += segment(0xE2, b"MPF\0" + SECRET) + segment(0xE0, b"JFXX\0" + SECRET) + segment(0xE5, SECRET)
    return content[:2] + more + content[2:] + encoded("JPEG")


def png(**options: Any) -> bytes:  # noqa: ANN401
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_text("Comment", SECRET.decode(), zip=True)
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    return encoded("PNG", pnginfo=text, icc_profile=profile(), **options)


FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": jpeg,
    "progressive JPEG": lambda: jpeg(progressive=True),
    "JPEG with restarts": lambda: jpeg(restart_marker_blocks=2),
    "MPO": lambda: encoded("MPO", save_all=True, append_images=[scene(1)]),
    "PNG": png,
}


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize("kind", FILES)
def test_the_place_goes_and_the_pixels_stay(kind: str, tmp_path: Path) -> None:
    content = FILES[kind]()
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert SECRET in content
    sent = prepare(path)
    assert SECRET not in sent.content
    assert sent.media_type == f"image/{'png' if kind == 'PNG' else 'jpeg'}"
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(sent.content)) as after:
        assert before.getexif()
        assert not after.getexif()
        assert not after.info.keys() & {"exif", "comment", "xmp", "photoshop", "Comment", "XML:com.adobe.xmp"}
        assert after.info.get("icc_profile") == before.info.get("icc_profile")
        assert np.array_equal(np.asarray(before), np.asarray(after))


@pytest.mark.parametrize("format", ["TIFF", "AVIF"])
def test_other_formats_are_drawn_anew(format: str, tmp_path: Path) -> None:  # noqa: A002
    content = encoded(format, quality=100)
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert SECRET in content
    sent = prepare(path)
    assert SECRET not in sent.content
    with Image.open(io.BytesIO(sent.content)) as after:
        assert (sent.media_type, after.format) == ("image/jpeg", "JPEG")
        assert not after.getexif()


def test_colours_of_cmyk_stay(tmp_path: Path) -> None:
    """Adobe's marker says how these are stored."""
    path = tmp_path / "photo.jpg"
    scene().convert("CMYK").save(path, exif=exif())
    with Image.open(path) as before, Image.open(io.BytesIO(prepare(path).content)) as after:
        assert before.mode == after.mode == "CMYK"
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_a_jpeg_that_breaks_off_is_kept_so_far() -> None:
    content = jpeg()
    whole = stripped(content) or b""
    assert whole.endswith(b"\xff\xd9")
    scan = whole.index(b"\xff\xda")
    cut = content[: content.index(whole[scan:]) + 200]
    assert stripped(cut) == whole[: scan + 200]


def test_what_lies_between_segments_is_passed_over() -> None:
    """Fill bytes before a marker are allowed; other stray bytes are borne by decoders."""
    content = encoded("JPEG")
    whole = stripped(content)
    assert stripped(content[:2] + b"\xff\xff" + content[2:]) == whole
    assert stripped(content[:2] + b"stray" + content[2:]) == whole


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["JPEG", "PNG"]), st.integers(0, 2**32))
def test_broken_files_are_no_matter(format: str, seed: int) -> None:  # noqa: A002
    rng = random.Random(seed)  # noqa: S311
    content = bytearray(FILES[format]())
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(2, len(content))] = rng.randrange(256)
    mutated = bytes(content[: rng.randint(2, len(content))])
    assert len(stripped(mutated) or b"") <= max(len(mutated), 8)


def test_the_frames_of_an_animation_stay() -> None:
    """The default image may be none of them, and is not what browsers show."""
    content = encoded("PNG", save_all=True, append_images=[scene(1)], default_image=True)
    sent = stripped(content) or b""
    assert SECRET in content
    assert SECRET not in sent
    with Image.open(io.BytesIO(sent)) as image:
        image.seek(1)
        assert np.array_equal(np.asarray(image), np.asarray(scene(1)))


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(c)) + c + bytes(len(c) % 2) for kind, c in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_what_webp_holds_beside_its_pixels_goes() -> None:
    for animated in (False, True):
        more: dict[str, Any] = {"save_all": True, "append_images": [scene(1)]} if animated else {}
        content = encoded("WEBP", lossless=True, icc_profile=profile(), xmp=SECRET, **more)
        secret = riff((b"EXIF", SECRET), (b"ABCD", SECRET))[12:]
        length = struct.pack("<I", len(content) - 8 + len(secret))
        longer = content[:4] + length + content[8:] + secret + SECRET
        assert SECRET in content
        sent = stripped(longer) or b""
        assert SECRET not in sent
        with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(sent)) as after:
            assert not after.info.keys() & {"exif", "xmp"}
            assert after.info["icc_profile"] == before.info["icc_profile"]
            for frame in range(2 if animated else 1):
                before.seek(frame)
                after.seek(frame)
                assert np.array_equal(np.asarray(before), np.asarray(after))
    simple = io.BytesIO()
    scene().save(simple, "WEBP", lossless=True)
    chunk = simple.getvalue()[20:]
    assert stripped(riff((b"VP8L", chunk), (b"EXIF", SECRET))) == riff((b"VP8L", chunk))  # without VP8X


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_what_lies_in_bmp_s_gaps_and_behind_its_end_goes(mode: str) -> None:
    stream = io.BytesIO()
    scene().convert(mode).save(stream, "BMP")
    content = stream.getvalue()
    (start,) = struct.unpack_from("<I", content, 10)
    gap = struct.pack("<I", start + len(SECRET))
    told = content[:6] + b"GPS!" + gap + content[14:start] + SECRET + content[start:] + SECRET
    sent = stripped(told) or b""
    assert SECRET not in sent
    assert b"GPS!" not in sent
    if mode == "RGB":  # Pillow itself looks for a palette's pixels where they are not
        with Image.open(io.BytesIO(sent)) as after:
            assert np.array_equal(np.asarray(after), np.asarray(scene()))
    assert stripped(content) == content


def test_a_preview_in_jfif_goes() -> None:
    preview = b"JFIF\0\1\1\0\0\1\0\1" + bytes((4, 4)) + (SECRET * 3)[:48]
    content = encoded("JPEG")
    told = content[:2] + segment(0xE0, preview) + segment(0xF5, SECRET) + segment(0xEE, b"Adobe" + bytes(7) + SECRET)
    sent = stripped(told + content[2:]) or b""
    assert SECRET[:10] not in sent
    with Image.open(io.BytesIO(sent)) as after:
        after.load()


def test_orientation_comes_from_exif_alone() -> None:
    tags = Image.Exif()
    for orientation, upright in ((1, True), (6, False), (77, True)):
        tags[0x0112] = orientation
        for format_ in ("JPEG", "PNG"):
            stream = io.BytesIO()
            scene().save(stream, format_, exif=tags)
            found = metadata.stripped(stream.getvalue())
            assert found is not None
            assert found.upright == upright
            assert found.pixels == 80 * 60


def plain(format: str, **options: Any) -> bytes:  # noqa: A002, ANN401
    stream = io.BytesIO()
    scene().save(stream, format, **options)
    return stream.getvalue()


def longer() -> dict[str, bytes]:
    """Files with words in blocks that are kept, where nothing goes by them."""
    photo, png, webp = plain("JPEG"), plain("PNG"), plain("WEBP", lossless=True)
    icc = profile()
    canvas = bytes([0x20, 0, 0, 0, 79, 0, 0, 59, 0, 0])
    coded = b"VP8L", webp[20 : 20 + struct.unpack_from("<I", webp, 16)[0]]
    found = {
        "JPEG, lines": photo[:-2] + segment(0xDC, b"\0\x3c" + SECRET) + photo[-2:],
        "JPEG, profile": photo[:2] + segment(0xE2, b"ICC_PROFILE\0\1\1" + icc + SECRET) + photo[2:],
        "JPEG, another profile": photo[:2]
        + segment(0xE2, b"ICC_PROFILE\0\1\1" + icc)
        + segment(0xE2, b"ICC_PROFILE\0\5\7" + SECRET)
        + photo[2:],
        "WebP, profile": riff((b"VP8X", canvas), (b"ICCP", icc + SECRET), coded),
        "WebP, another picture": riff(coded, (b"VP8L", SECRET)),
        "WebP, header": riff((b"VP8X", bytes(1) + canvas[1:] + SECRET), coded),
    }
    chunks = {
        "profile": (b"iCCP", b"x\0\0" + zlib.compress(icc) + SECRET),
        "profile's name": (b"iCCP", SECRET + b"\0\0" + zlib.compress(icc)),
        "broken profile": (b"iCCP", b"x\0\0" + SECRET),
        "clear colour": (b"tRNS", bytes(6) + SECRET),
        "gamma": (b"gAMA", struct.pack(">I", 45455) + SECRET),
        "sRGB": (b"sRGB", b"\0" + SECRET),
        "bits": (b"sBIT", b"\b\b\b" + SECRET),
        "palette of none": (b"PLTE", SECRET),
        "frame of no animation": (b"fdAT", SECRET),
        "end": (b"IEND", SECRET),
    }
    for name, (kind, content) in chunks.items():
        at = len(png) - 12 if kind == b"IEND" else 33
        found[f"PNG, {name}"] = png[:at] + metadata._png_chunk(kind, content) + png[at:]
    return found


@pytest.mark.parametrize("name", longer())
def test_blocks_that_are_kept_hold_no_more_than_they_need(name: str, tmp_path: Path) -> None:
    content = longer()[name]
    assert SECRET in content
    path = tmp_path / "photo"
    path.write_bytes(content)
    sent = prepare(path).content
    assert SECRET not in sent
    with Image.open(io.BytesIO(sent)) as image:
        assert image.size == (80, 60)
        assert ("profile" in name) <= (bool(image.info.get("icc_profile")) or "broken" in name)
