"""What is typed and what lies in files arrives at `predict` as its author wants it."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lambdacap.client.inputs import assignments, check_files, collect, given, of_file
from lambdacap.client.request import request
from lambdacap.errors import InputError, UsageError
from tests.client.models import Predict, arrived, described
from tests.image.serving import predictors
from tests.image.serving.predictors import Colour, Point


def sent(predict: Predict, *typed: str, file: Path | None = None) -> tuple[str, dict[str, Any]]:
    """In which media type what is typed is sent, and what `predict` gets of it."""
    contract = described(predict)
    values = given(contract, assignments(typed), file=file is not None)
    if file:
        values, _ = of_file(contract, file, values)
    made = request(contract, values, "x")
    return made.media_type.partition(";")[0], arrived(predict, made)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 6), "red").save(tmp_path / "dog.png")
    return tmp_path / "dog.png"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["count=3", "share=0.25", "unit=share"], {"count": 3, "share": 0.25, "unit": "share"}),
        (["count=3.0", "colour=blue", "exact=TRUE"], {"count": 3, "colour": Colour.BLUE, "exact": True}),
        (["exact=0", "name=12"], {"exact": False, "name": "12"}),
        (["tags=a"], {"tags": ["a"]}),
        (["tags=a", "tags=b"], {"tags": ["a", "b"]}),
        (['tags=["a", "b"]'], {"tags": ["a", "b"]}),
        (["tags=[]"], {"tags": []}),
        (["start=null"], {"start": None}),
        (['start={"x": 1}'], {"start": Point(1.0)}),
        (
            ['places={"k": {"name": "n", "points": [{"x": 1, "y": 2}]}}'],
            {"places": {"k": {"name": "n", "points": [Point(1, 2)]}}},
        ),
        (["name=a=b"], {"name": "a=b"}),
    ],
)
def test_values_as_they_are_typed(typed: list[str], wanted: dict[str, Any]) -> None:
    assert sent(predictors.values, *typed) == ("application/json", wanted)


def test_pictures(png: Path) -> None:
    kind, found = sent(predictors.picture, "top=7", file=png)
    assert (kind, found["photo"].size, found["top"]) == ("image/png", (8, 6), 7)
    kind, found = sent(predictors.picture, f"mask=@{png}", "top=7", file=png)
    assert (kind, found["mask"].size, found["top"]) == ("multipart/form-data", (8, 6), 7)
    kind, found = sent(predictors.picture, f"photo=@{png}", "mask=null")
    assert (kind, found["mask"]) == ("application/json", None)


def test_sound_and_files_go_as_they_are(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.full(100, 16384, "<i2").tobytes())
    kind, found = sent(predictors.sound, "gain=2", file=tmp_path / "a.wav")
    assert (kind, found["audio"][1], found["gain"]) == ("audio/x-wav", 8000, 2.0)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-\xff")
    kind, found = sent(predictors.file, file=tmp_path / "a.pdf")
    assert (kind, found["document"].suffix) == ("application/pdf", ".pdf")
    # What would be read as the inputs by name.
    (tmp_path / "a.json").write_bytes(b'{"raw": 1}')
    kind, found = sent(predictors.file, f"raw=@{tmp_path / 'a.pdf'}", file=tmp_path / "a.json")
    assert (kind, found["document"].suffix, found["raw"]) == ("multipart/form-data", ".json", b"%PDF-\xff")
    assert sent(predictors.file, file=tmp_path / "a.json")[0] == "multipart/form-data"


def test_text_and_records_from_files(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_bytes(b"\xef\xbb\xbfgr\xc3\xbcn\nblau\n")
    assert sent(predictors.text, "times=2", file=text)[1] == {"words": "grün\nblau\n", "times": 2}
    assert sent(predictors.text, f"words=@{text}")[1] == {"words": "grün\nblau\n"}
    assert sent(predictors.values, f"tags=@{text}")[1] == {"tags": ["grün", "blau"]}
    rows = tmp_path / "a.json"
    rows.write_text('[{"x": 1}, {"x": 2, "y": 3}]\n')
    assert sent(predictors.records, file=rows)[1] == {"points": [Point(1), Point(2, 3)]}
    (tmp_path / "latin.txt").write_bytes(b"gr\xfcn")
    with pytest.raises(InputError, match=r"latin.txt is no text in UTF-8, which words takes"):
        sent(predictors.text, file=tmp_path / "latin.txt")


def pictures(photos: list[Image.Image], names: list[str]) -> int:
    return len(photos) + len(names)


def test_a_list_of_pictures(png: Path) -> None:
    kind, found = sent(pictures, f"photos=@{png}", f"photos=@{png}", 'names=["a", "b"]')
    assert (kind, len(found["photos"]), found["names"]) == ("multipart/form-data", 2, ["a", "b"])
    assert len(sent(pictures, "names=a", file=png)[1]["photos"]) == 1


def test_numbers_or_text_go_as_json(png: Path) -> None:
    def predict(photo: Image.Image, what: int | str) -> None: ...

    predict.__annotations__ = {"photo": Image.Image, "what": int | str}
    assert sent(predict, "what=5", file=png)[1]["what"] == 5
    kind, found = sent(predict, 'what="5"', file=png)
    assert (kind, found["what"], found["photo"].size) == ("application/json", "5", (8, 6))
    assert sent(predict, "what=five", file=png)[1]["what"] == "five"


def test_long_text_beside_a_picture_goes_in_a_form(png: Path) -> None:
    def predict(photo: Image.Image, what: str) -> None: ...

    predict.__annotations__ = {"photo": Image.Image, "what": str}
    long = "long\r\n text \u2028" * 1000
    kind, found = sent(predict, f"what={long}", file=png)
    assert (kind, found["what"]) == ("multipart/form-data", long)


def test_of_two_large_pictures_each_is_shrunk_to_its_share(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1200, 3), np.uint8)
    path = tmp_path / "noise.png"
    Image.fromarray(noise).save(path)
    assert 3_000_000 < path.stat().st_size < 4_500_000
    contract = described(predictors.picture)
    values, _ = of_file(contract, path, given(contract, [("mask", f"@{path}")], file=True))
    made = request(contract, values, "x")
    assert len(made.body) < 4_600_000
    found = arrived(predictors.picture, made)
    assert found["photo"].size == found["mask"].size == (1200, 1100)


def test_more_than_the_gateway_passes_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(5_000_000))
    with pytest.raises(InputError, match=r"the request has 5\.0 MB, and the gateway passes 4\.6"):
        sent(predictors.file, file=tmp_path / "a.bin")


@pytest.mark.parametrize("typed", ["count", "=3", ""])
def test_what_is_no_assignment(typed: str) -> None:
    with pytest.raises(UsageError, match="an input is NAME=VALUE"):
        assignments([typed])


def test_the_first_input_is_given_once(png: Path) -> None:
    with pytest.raises(InputError, match="photo is given twice: by FILE and by -i"):
        sent(predictors.picture, f"photo=@{png}", file=png)


def test_folders_are_searched_for_the_model_s_kind(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "c.hif", "below/deeper/c.heic", "notes.txt", ".hidden.jpg", "x.wav", "r.json"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "d.jfif").touch()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in")  # a circle
    for predict, names in (
        (predictors.picture, {"a.PNG", "b.jpg", "c.hif", "c.heic", "d.jfif"}),
        (predictors.sound, {"x.wav"}),
        (predictors.text, {"notes.txt"}),
        (predictors.records, {"r.json"}),
        (predictors.file, {"a.PNG", "b.jpg", "c.hif", "c.heic", "d.jfif", "notes.txt", "x.wav", "r.json"}),
    ):
        found = collect([tmp_path / "in"], described(predict))
        assert {path.name for path in found} == names
        assert found == sorted(found)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"there are no photos in the folder .*empty"):
        collect([tmp_path / "empty"], described(predictors.picture))
    with pytest.raises(InputError, match="there is nothing to send in the folder"):
        check_files([tmp_path / "empty"])


def test_json_is_finite() -> None:
    stream = io.StringIO(json.dumps([1e308 * 10]))
    with pytest.raises(InputError, match="points"):
        sent(predictors.records, f"points={stream.getvalue()}")
