"""What predictors return → answers."""

from __future__ import annotations

import datetime
import io
import json
import math
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving.gateway import HttpError, event
from serving.outputs import AnswerError, preferred, response, written

from tests.image.serving.predictors import Colour, Point


@dataclass
class Box:
    label: str
    score: np.float32
    box: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"a": 1, "b": None}, {"a": 1, "b": None}),
        ("a sentence", "a sentence"),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.str_("word"), "word"),
        (np.array([[1.5, 2], [3, 4]], np.float32), [[1.5, 2.0], [3.0, 4.0]]),
        (np.array(3), 3),
        ([Box("x", np.float32(0.25), (1, 2, 3, 4))], [{"label": "x", "score": 0.25, "box": [1, 2, 3, 4]}]),
        ((1, {2}), [1, [2]]),
        ({1: "a", Colour.RED: Colour.BLUE}, {"1": "a", "red": "blue"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        ({"raw": b"x"}, {"raw": "eA=="}),
        ((number for number in range(3)), [0, 1, 2]),
        ({"late": iter("ab")}, {"late": ["a", "b"]}),
        ([], []),
        (None, None),
        (0, 0),
    ],
)
def test_json_answers_are_the_value_itself(value: object, plain: object) -> None:
    made = response(value, "*/*")
    assert made.headers["Content-Type"] == "application/json"
    assert json.loads(made.body) == plain


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"boxes": [{"score": math.nan}]}, r"the answer.boxes\[0\].score is NaN"),
        ([1, math.inf], r"the answer\[1\] is infinite"),
        (np.array([1, np.nan]), r"the answer\[1\] is NaN"),
        (np.float32("nan"), "the answer is NaN"),
        (object(), "the answer cannot be written as JSON: builtins.object is unknown"),
        ({"a": 1j}, "complex"),
        (np.array([1j]), "the answer cannot be written as JSON"),
        (_circle(), "the answer holds itself"),
    ],
)
def test_what_json_has_no_word_for_is_an_error_that_says_where(value: object, said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        written(value)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "image/png"),
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/webp"),
        ("image/webp;q=0.5, image/jpeg;q=0.9", "image/jpeg"),
        ("image/jpeg;q=0, image/webp;q=nonsense", "image/png"),
        ("application/json", "image/png"),
    ],
)
def test_a_picture_comes_as_it_is_asked_for(accept: str, media_type: str) -> None:
    made = response(Image.new("RGB", (5, 4), "red"), accept)
    assert made.headers["Content-Type"] == media_type
    assert isinstance(made.body, bytes)
    seen = Image.open(io.BytesIO(made.body))
    assert (Image.MIME[seen.format or ""], seen.size) == (media_type, (5, 4))
    assert event(made)["isBase64Encoded"] is True


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "F", "I", "I;16", "HSV", "LAB"])
@pytest.mark.parametrize("accept", ["image/png", "image/jpeg", "image/webp"])
def test_pictures_of_every_mode(mode: str, accept: str) -> None:
    made = response(Image.new(mode, (3, 2)), accept)
    assert isinstance(made.body, bytes)
    assert Image.open(io.BytesIO(made.body)).size == (3, 2)


def test_what_is_clear_is_white_in_a_jpeg() -> None:
    made = response(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "image/jpeg")
    assert isinstance(made.body, bytes)
    assert Image.open(io.BytesIO(made.body)).getpixel((4, 4)) == (255, 255, 255)


def test_nested_pictures_and_files_are_data_urls(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    plain = json.loads(written({"picture": Image.new("L", (2, 2)), "file": tmp_path / "a.csv"}))
    assert plain["picture"].startswith("data:image/png;base64,")
    assert plain["file"] == "data:text/csv;base64,eA=="


def test_files_are_typed_by_their_suffix(tmp_path: Path) -> None:
    for name, media_type in (("a.pdf", "application/pdf"), ("a.wav", "audio/x-wav"), ("a", "application/octet-stream")):
        (tmp_path / name).write_bytes(b"\0\1")
        made = response(tmp_path / name, "*/*")
        assert (made.headers["Content-Type"], made.body) == (media_type, b"\0\1")
    with pytest.raises(AnswerError, match="the answer's file cannot be read"):
        response(tmp_path / "missing", "*/*")


@pytest.mark.parametrize("shape", [(100,), (100, 2)])
def test_sound_is_a_wav(shape: tuple[int, ...]) -> None:
    made = response((np.full(shape, 0.5, np.float32), 8000), "*/*", sound=True)
    assert made.headers["Content-Type"] == "audio/wav"
    assert isinstance(made.body, bytes)
    with wave.open(io.BytesIO(made.body)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, len(shape), 100)
        assert set(np.frombuffer(file.readframes(100), "<i2")) == {16384}


def test_sound_that_is_none() -> None:
    with pytest.raises(AnswerError, match="sound"):
        response((np.array([math.nan]), 8000), "*/*", sound=True)


def test_text_as_it_is_for_who_asks() -> None:
    assert response("grün", "text/plain").body == "grün"
    assert response("grün", "*/*").body == '"grün"'
    assert preferred("text/html, text/plain;q=0.5", ("application/json", "text/plain")) == "text/plain"


@pytest.mark.parametrize(
    "value", ["x" * 6_400_000, "\n" * 3_200_000, b"x" * 4_800_000, [0.123456789] * 600_000, "é" * 1_100_000]
)
def test_an_answer_over_lambdas_limit_is_told_as_such(value: object) -> None:
    with pytest.raises(HttpError, match=r"Lambda hands on 6\.3") as raised:
        response(value, "*/*")
    assert (raised.value.status, raised.value.code) == (413, "answer_too_large")


def test_an_answer_under_the_limit_passes() -> None:
    for value in ("x" * 6_000_000, b"x" * 4_600_000):
        assert len(json.dumps(event(response(value, "*/*")))) < 6_291_556


def test_parts_are_collected() -> None:
    def parts() -> Iterator[str]:
        yield "a"
        yield "b"

    assert json.loads(response(parts(), "").body) == ["a", "b"]
