"""What users send is read in every form, and the captioner sees the same in each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from captioner.bundle import Bundle
from captioner.caption import Captioner
from demo.painter import render
from demo.scenes import random_scene
from PIL import Image
from serving import formats, kinds, picture

from tests.image.samples import Sample, branded, samples

DEMO = Path(picture.__file__).parents[1] / "demo" / "bundle"


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    rng = np.random.default_rng(7)
    return render(random_scene(rng), rng, 320)


@pytest.fixture(scope="module")
def forms(photo: Image.Image) -> dict[str, Sample]:
    return {sample.name: sample for sample in samples(photo)}


def test_the_caption_is_the_same_in_every_form(forms: dict[str, Sample], photo: Image.Image) -> None:
    model = Captioner(Bundle.load(DEMO))
    needed = model.bundle.width, model.bundle.height

    def caption(image: Image.Image) -> object:
        return model.caption(image, beam=3, attention=False)["caption"]

    expected = {"colour": caption(photo), "grey": caption(photo.convert("L").convert("RGB"))}
    for name, sample in forms.items():
        seen = picture.read(sample.data, needed=needed)
        assert (seen.format, seen.image.mode) == (sample.kind, "RGB"), name
        assert seen.truncated is (name == "JPEG, cut short")
        said = caption(seen.image)
        assert said == expected.get(sample.looks, said), name


@pytest.mark.parametrize(
    ("form", "bound"),
    # Steps of 255 in the mean. HEIC halves the colours' resolution, and this scene is grainy.
    [
        ("PNG, alpha", 1),
        ("PNG, 16 bits, interlaced", 0.5),
        ("TIFF, CMYK, 16 bits", 2),
        ("TIFF, tiles", 0),
        ("JPEG, CMYK", 4),
        ("GIF, one colour clear", 6),
        ("HEIC", 6),
        ("HEIC, alpha", 6),
        ("HEIC, turned", 6),
    ],
)
def test_the_pixels_are_those_of_the_scene(
    form: str, bound: float, forms: dict[str, Sample], photo: Image.Image
) -> None:
    seen = picture.read(forms[form].data).image
    assert seen.size == photo.size
    assert np.abs(np.asarray(seen, float) - np.asarray(photo, float)).mean() <= bound


def test_what_a_phone_writes_as_heic_is_not_too_large() -> None:
    assert formats.MOST_HEIC >= 5712 * 4284


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1", "HEIF"),
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
        (b"msf1\0\0\0\0iso8hevc", "HEIF"),
        (b"mif1\0\0\0\0mif1", None),
        (b"isom\0\0\0\0mp42", None),
        (b"mif1heic\0\0\0\0", None),  # where the heic stands is the minor version
    ],
)
def test_a_file_s_brands_tell_what_it_is(brands: bytes, kind: str | None) -> None:
    box = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands
    assert kinds.sniff(box + b"heicavif") == kind
    assert kinds.sniff(branded(box, b"heic")) == "HEIF"
