"""Requests in every form → the arguments of `predict`, or what is wrong with them."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import numpy as np
import pytest
import requests
from PIL import Image
from serving.contract import contract
from serving.gateway import HttpError, Request
from serving.inputs import arguments, sniff
from serving.inputs.uploads import Files

from tests.image.serving import predictors


def ask(
    predict: Callable[..., Any], body: bytes = b"", kind: str = "", *, binary: bool = True, **query: str | list[str]
) -> dict[str, Any]:
    """What `predict` would be called with."""
    queries = {name: tuple([values] if isinstance(values, str) else values) for name, values in query.items()}
    headers = {"content-type": kind} if kind else {}
    http = Request("POST", "/", headers, {name: values[-1] for name, values in queries.items()}, queries, body, binary)
    with Files({}) as files:
        found = arguments(http, contract(predictors.module(predict)), files)
        for value in found.values():
            if isinstance(value, Path):
                assert value.is_file()
        return found


def refused(predict: Callable[..., Any], *args: Any, **more: Any) -> tuple[int, str, str]:  # noqa: ANN401
    with pytest.raises(HttpError) as raised:
        ask(predict, *args, **more)
    return raised.value.status, raised.value.code, str(raised.value)


def json_(value: object) -> tuple[bytes, str]:
    return json.dumps(value).encode(), "application/json"


def form(files: Any = None, **fields: Any) -> tuple[bytes, str]:  # noqa: ANN401 - as requests takes them
    parts = files or [(name, (None, text)) for name, text in fields.items()]
    made = requests.Request("POST", "http://x", data=fields if files else None, files=parts).prepare()
    assert isinstance(made.body, bytes)
    return made.body, made.headers["Content-Type"]


def png(size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, "PNG")
    return stream.getvalue()


def wav(frames: int = 100, channels: int = 2, rate: int = 8000) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.full(frames * channels, 16384, "<i2").tobytes())
    return stream.getvalue()


B64 = base64.b64encode(png()).decode()


class TestForms:
    """The same values arrive, however they are sent."""

    def test_values(self) -> None:
        wanted = {"count": 3, "share": 0.25, "unit": "share", "colour": predictors.Colour.BLUE, "exact": True}
        sent = {"count": 3, "share": 0.25, "unit": "share", "colour": "blue", "exact": True}
        text: dict[str, Any] = {name: json.dumps(value).strip('"') for name, value in sent.items()}
        assert ask(predictors.values, *json_(sent)) == wanted
        assert ask(predictors.values, **text) == wanted
        assert ask(predictors.values, *form(**text)) == wanted
        assert ask(predictors.values, urlencode(text).encode(), "application/x-www-form-urlencoded") == wanted

    def test_lists_and_records(self) -> None:
        place = {"name": "here", "points": [{"x": 1, "y": 2}, {"x": 3}]}
        sent = {"tags": ["a", "b"], "start": {"x": 1.5}, "places": {"k": place}}
        wanted = {
            "tags": ["a", "b"],
            "start": predictors.Point(1.5),
            "places": {"k": {"name": "here", "points": [predictors.Point(1, 2), predictors.Point(3)]}},
        }
        assert ask(predictors.values, *json_(sent)) == wanted
        as_text: dict[str, Any] = {"start": json.dumps(sent["start"]), "places": json.dumps(sent["places"])}
        assert ask(predictors.values, tags=["a", "b"], **as_text) == wanted
        assert ask(predictors.values, tags=json.dumps(["a", "b"]), **as_text) == wanted
        parts = [("tags", (None, "a")), ("tags", (None, "b")), *((n, (None, t)) for n, t in as_text.items())]
        assert ask(predictors.values, *form(parts)) == wanted
        # As files, as curl's @ and browsers' blobs of JSON come.
        blobs = {name: (f"{name}.json", json.dumps(value), "application/json") for name, value in sent.items()}
        assert ask(predictors.values, *form(blobs)) == wanted
        lines = [("tags", ("1.txt", "a", "text/plain")), ("tags", ("2.txt", "b")), *parts[2:]]
        assert ask(predictors.values, *form(lines)) == wanted

    def test_what_is_left_out_is_left_to_the_function(self) -> None:
        assert ask(predictors.values) == {}
        assert ask(predictors.values, *json_({})) == {}
        assert ask(predictors.values, *json_({"start": None})) == {"start": None}

    def test_a_picture(self) -> None:
        for found in (
            ask(predictors.picture, png(), "image/png", top="7"),
            ask(predictors.picture, png(), "application/octet-stream", top="7"),
            ask(predictors.picture, *form({"photo": ("a.png", png(), "image/png")}, top="7")),
            ask(predictors.picture, *form({"photo": ("a", png())}, top="7")),
            ask(predictors.picture, *json_({"photo": B64, "top": 7})),
            ask(predictors.picture, *json_({"photo": f"data:image/png;base64,{B64}", "top": 7})),
        ):
            assert (found["photo"].size, found["photo"].mode, found["top"]) == ((8, 6), "RGB", 7)
            assert "mask" not in found

    def test_two_pictures(self) -> None:
        files = {"photo": ("a.png", png()), "mask": ("b.png", png((3, 2), "L"))}
        assert ask(predictors.picture, *form(files))["mask"].size == (3, 2)
        both = {"photo": B64, "mask": base64.b64encode(png((3, 2))).decode()}
        assert ask(predictors.picture, *json_(both))["mask"].size == (3, 2)
        assert ask(predictors.picture, *json_({"photo": B64, "mask": None}))["mask"] is None

    def test_pictures_within_records(self) -> None:
        (item,) = ask(predictors.marked, *json_({"items": [{"picture": B64, "label": "x"}]}))["items"]
        assert (type(item), item.picture.size, item.label) == (predictors.Marked, (8, 6), "x")

    def test_sound(self) -> None:
        encoded = base64.b64encode(wav()).decode()
        for found in (
            ask(predictors.sound, wav(), "audio/wav", gain="2"),
            ask(predictors.sound, wav(), "audio/x-wav", gain="2"),
            ask(predictors.sound, wav(), "application/octet-stream", gain="2"),
            ask(predictors.sound, *form({"audio": ("a.wav", wav())}, gain="2")),
            ask(predictors.sound, *json_({"audio": encoded, "gain": 2})),
        ):
            samples, rate = found["audio"]
            assert (samples.shape, samples.dtype, rate, found["gain"]) == ((100, 2), np.float32, 8000, 2.0)
            np.testing.assert_allclose(samples, 0.5)

    @pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF"])
    def test_sound_of_other_kinds(self, kind: str) -> None:
        import soundfile

        stream = io.BytesIO()
        soundfile.write(stream, np.zeros((4000, 1)), 8000, format=kind)
        samples, rate = ask(predictors.sound, stream.getvalue(), "application/octet-stream")["audio"]
        assert rate == 8000
        assert samples.shape[1] == 1
        assert 4000 <= len(samples) < 7000

    def test_text(self) -> None:
        for found in (
            ask(predictors.text, "grün".encode(), "text/plain", times="2"),
            ask(predictors.text, "grün".encode("latin-1"), "text/plain; charset=latin-1", times="2"),
            ask(predictors.text, "grün".encode("utf-8-sig"), "text/plain; charset=utf-8", times="2"),
            ask(predictors.text, "grün".encode(), "text/plain;charset=latin-1", times="2", binary=False),
            ask(predictors.text, words="grün", times="2"),
            ask(predictors.text, *form({"words": ("a.txt", "grün".encode(), "text/plain")}, times="2")),
            ask(predictors.text, *json_({"words": "grün", "times": 2})),
        ):
            assert found == {"words": "grün", "times": 2}

    def test_any_file(self) -> None:
        for found, suffix in (
            (ask(predictors.file, b"%PDF-", "application/pdf"), ".pdf"),
            (ask(predictors.file, b"\0\1", "application/octet-stream"), ".bin"),
            (ask(predictors.file, *form({"document": ("A b.TAR", b"x")})), ".tar"),
            (ask(predictors.file, *form({"document": ("../../etc/passwd", b"x")})), ""),
            (ask(predictors.file, *form({"document": ("x." + "y" * 99, b"x")})), ""),
            (ask(predictors.file, *json_({"document": "data:text/csv;base64,eA==", "raw": "eA=="})), ".csv"),
        ):
            assert found["document"].suffix == suffix
            assert not found["document"].exists()  # gone with the request
            assert not found["document"].parent.exists()

    @pytest.mark.parametrize("predict", [predictors.old, predictors.typed_old])
    def test_the_form_with_options(self, predict: Callable[..., Any]) -> None:
        found = ask(predict, png(), "image/png", beam="3", anything="x")
        assert found["options"] == {"beam": "3", "anything": "x"}
        assert found["image"].size == (8, 6)

    def test_the_query_goes_before_the_body(self) -> None:
        assert ask(predictors.text, *json_({"words": "a", "times": 2}), times="3") == {"words": "a", "times": 3}
        assert ask(predictors.text, *form(words="a", times="2"), times="3") == {"words": "a", "times": 3}


V, P, S, T, F = predictors.values, predictors.picture, predictors.sound, predictors.text, predictors.file
WRONG: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], int, str, str]] = [
    # values in the query
    (V, (), {"count": "0"}, 400, "invalid_parameter", "count: expected a whole number from 1 to 10"),
    (V, (), {"count": "11"}, 400, "invalid_parameter", "count: expected a whole number from 1 to 10"),
    (V, (), {"count": "three"}, 400, "invalid_parameter", "count: expected a whole number"),
    (V, (), {"count": "3.5"}, 400, "invalid_parameter", "count: expected a whole number"),
    (V, (), {"count": " 3"}, 400, "invalid_parameter", "count: expected a whole number"),
    (V, (), {"count": ""}, 400, "invalid_parameter", "count: expected a whole number"),
    (V, (), {"count": ["3", "4"]}, 400, "invalid_parameter", "count is given 2 times; it takes one value"),
    (V, (), {"share": "1"}, 400, "invalid_parameter", "share: expected a number from 0 below 1"),
    (V, (), {"share": "nan"}, 400, "invalid_parameter", "share: expected a finite number"),
    (V, (), {"share": "-Infinity"}, 400, "invalid_parameter", "share: expected a finite number"),
    (V, (), {"unit": "feet"}, 400, "invalid_parameter", "unit: expected one of pixels, share"),
    (V, (), {"colour": "green"}, 400, "invalid_parameter", "colour: expected one of red, blue"),
    (V, (), {"exact": "maybe"}, 400, "invalid_parameter", "exact: expected true or false"),
    (V, (), {"name": "toolong"}, 400, "invalid_parameter", "name: expected text with a length from 1 to 5"),
    (V, (), {"start": "{"}, 400, "invalid_parameter", "start: expected JSON"),
    (V, (), {"start": "[" * 9999}, 400, "invalid_parameter", "start: expected JSON"),
    (V, (), {"start": "[1]"}, 400, "invalid_parameter", "start: expected an object or null, got a list"),
    (V, (), {"cuont": "3"}, 400, "invalid_parameter", "cuont is unknown; did you mean count?"),
    (V, (), {"zzz": "3"}, 400, "invalid_parameter", "zzz is unknown; there are: count, share, unit"),
    # JSON
    (V, json_({"count": "3"}), {}, 400, "invalid_parameter", "count: expected a whole number, got text"),
    (V, json_({"count": True}), {}, 400, "invalid_parameter", "count: expected a whole number, got true or false"),
    (V, json_({"start": {"x": "1"}}), {}, 400, "invalid_parameter", "start.x: expected a number, got text"),
    (V, json_({"start": {"x": 1, "z": 2}}), {}, 400, "invalid_parameter", "start.z is unknown; there are: x, y"),
    (V, json_({"start": {}}), {}, 400, "invalid_parameter", "start.x is missing"),
    (
        V,
        json_({"places": {"k": {"name": "n", "points": [{"x": 1, "q": 1}]}}}),
        {},
        400,
        "invalid_parameter",
        "q is unk",
    ),
    (V, json_({"tags": [1]}), {}, 400, "invalid_parameter", "tags[0]: expected text, got a whole number"),
    (V, json_([1]), {}, 400, "invalid_parameter", "the request: expected an object, got a list"),
    (V, json_({"zzz": 1}), {}, 400, "invalid_parameter", "zzz is unknown"),
    (V, (b"", "application/json"), {}, 400, "invalid_json", "the body is no JSON"),
    (V, (b'{"count": NaN}', "application/json"), {}, 400, "invalid_json", "the body is no JSON"),
    (V, (b'{"name": "\xff"}', "application/json"), {}, 400, "invalid_json", "the body is no JSON"),
    (V, (b'{"share": 1e999}', "application/json"), {}, 400, "invalid_parameter", "share: number out of range"),
    (V, (b'{"places":' + b'{"a":' * 100_000, "application/json"), {}, 400, "invalid_", ""),
    (V, (b'{"zzz":' + b"[" * 100_000, "application/json"), {}, 400, "invalid_", ""),
    # bodies of other types
    (V, (b"x", "text/plain"), {}, 415, "unsupported_media_type", "text/plain: multipart/form-data or application/json"),
    (P, (b"", "image/png"), {}, 400, "empty_body", "the body is empty: send a picture"),
    (P, (b"GIF89a", "image/gif"), {}, 400, "unsupported_image", "photo: "),
    (P, (b"hello", "text/plain"), {}, 415, "unsupported_media_type", "text/plain: send the picture's bytes"),
    (P, (wav(), "audio/wav"), {}, 415, "unsupported_media_type", "audio/wav: send the picture's bytes"),
    (P, json_({"photo": "%%%"}), {}, 400, "invalid_parameter", "photo: expected a file as base64 or as a data URL"),
    (P, json_({"photo": "data:image/png,xx"}), {}, 400, "invalid_parameter", "photo: expected a data URL in base64"),
    (P, json_({"photo": 5}), {}, 400, "invalid_parameter", "photo: expected a file as base64"),
    (P, json_({"top": 5}), {}, 400, "invalid_parameter", "photo is missing; image/* takes photo as the body"),
    (P, (), {}, 400, "empty_body", "the body is empty"),
    (P, (png(), "image/png"), {"mask": "x"}, 400, "invalid_parameter", "mask: expected a file as base64"),
    (S, (b"RIFF\xff\xff\xff\x7fWAVE", "audio/wav"), {}, 400, "unsupported_sound", "audio cannot be read as sound"),
    (S, (png(), "image/png"), {}, 415, "unsupported_media_type", "image/png: send the sound's bytes"),
    (T, (b"\xff\xfe", "text/plain"), {}, 400, "invalid_text", "the body is not utf-8"),
    (T, (b"x", "text/plain; charset=klingon"), {}, 415, "unsupported_charset", "the charset 'klingon' is unknown"),
    (T, (b"x", "image/png"), {}, 415, "unsupported_media_type", "image/png: text/plain takes words as the body"),
    (
        T,
        (b"x", "text/plain"),
        {"words": "y", "times": "0"},
        400,
        "invalid_parameter",
        "times: expected a whole number from 1",
    ),
    # forms
    (F, (b"--b--", "multipart/form-data"), {}, 400, "invalid_form", "names no boundary"),
    (F, (b"x", "multipart/form-data; boundary=b"), {}, 400, "invalid_form", "the body is no form"),
    (F, (form({"document": ("a", b"x")})[0][:-9], form({"document": ("a", b"x")})[1]), {}, 400, "invalid_form", ""),
    (F, form({"other": ("a", b"x")}), {}, 400, "invalid_parameter", "other is unknown"),
    (F, form(raw="a"), {}, 400, "invalid_parameter", "raw: expected a file as base64"),
    (T, (b"words=a&words=b", "application/x-www-form-urlencoded"), {}, 400, "invalid_parameter", "given 2 times"),
    (T, (b"&".join([b"words=a"] * 2000), "application/x-www-form-urlencoded"), {}, 400, "invalid_form", "no form"),
]


@pytest.mark.parametrize(("predict", "body", "query", "status", "code", "said"), WRONG)
def test_what_is_wrong_is_told_before_the_model_is_called(
    predict: Callable[..., Any], body: tuple[Any, ...], query: dict[str, Any], status: int, code: str, said: str
) -> None:
    found = refused(predict, *body, **query)
    assert found[0] == status
    assert found[1].startswith(code)
    assert said in found[2]
    assert len(found[2]) < 600


def test_a_choice_of_numbers_in_a_row_is_told_as_a_range() -> None:
    def predict(beam: Literal[1, 2, 3] = 1) -> int:
        return beam

    for value in ("0", "4", "x"):
        assert refused(predict, beam=value)[2] == "beam: expected a whole number from 1 to 3"
    assert ask(predict, beam="2") == {"beam": 2}


MPEG = bytes.fromhex("fffb9064")
"""The head of a frame: MPEG 1, layer III, 128 kbit/s, 44,100 Hz."""


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (MPEG, "sound"),
        (bytes.fromhex("fff39064"), "sound"),  # MPEG 2
        (bytes.fromhex("fffd9064"), "sound"),  # layer II
        (bytes.fromhex("ffff9064"), "sound"),  # layer I
        (bytes.fromhex("ffe39064"), "sound"),  # MPEG 2.5
        (MPEG[:3], None),  # cut short
        (bytes.fromhex("ffeb9064"), None),  # a version that is none
        (bytes.fromhex("fff99064"), None),  # a layer that is none
        (bytes.fromhex("fffbf064"), None),  # a bit rate that is none
        (bytes.fromhex("fffb9c64"), None),  # a rate that is none
        (bytes.fromhex("ff1b9064"), None),
        (b"RIFF....WAVEfmt ", "sound"),
        (b"RIFF....WEBPVP8 ", "picture"),
        (b"RIFF....AVI LIST", None),
        (b"FORM....AIFF....", "sound"),
        (b"FORM....ILBM....", None),
        (b"fLaC", "sound"),
        (png(), "picture"),
        (b"words", None),
    ],
)
def test_what_a_file_is_by_its_first_bytes(data: bytes, found: str | None) -> None:
    assert sniff.kind(data) == found


def test_a_file_that_came_as_text_is_taken_where_it_is_text_and_else_refused() -> None:
    for body, kind in ((b"plain", "application/x-unknown"), ("ä".encode(), "text/plain")):
        ask(predictors.file, body, kind, binary=False)
    status, code, said = refused(predictors.file, "ä".encode(), "application/x-unknown", binary=False)
    assert (status, code) == (400, "invalid_body")
    assert "came as text" in said


def test_what_is_wrong_inside_lists_is_told_by_its_own_kind() -> None:
    def predict(pair: tuple[int, Literal["left", "right"]], many: tuple[Literal["up", "down"], ...] = ()) -> int:
        return pair[0] + len(many)

    assert ask(predict, *json_({"pair": [1, "left"], "many": ["up", "up", "down"]}))["pair"] == (1, "left")
    for body, said in (
        ({"pair": [1, "middle"]}, "pair[1]: expected one of left, right"),
        ({"pair": ["x", "left"]}, "pair[0]: expected a whole number"),
        ({"pair": [1, "left"], "many": ["up", "sideways"]}, "expected one of up, down"),
    ):
        assert said in refused(predict, *json_(body))[2]


def test_a_long_complaint_is_cut() -> None:
    def predict(choice: Literal[tuple(f"choice number {number}" for number in range(200))]) -> str:  # type: ignore[valid-type]
        return str(choice)

    told = refused(predict, *json_({"choice": "none"}))[2]
    assert told.startswith("choice: expected")
    assert told.endswith("…")
    assert len(told) < 600


def multipart(parts: int, fill: bytes = b"x") -> tuple[bytes, str]:
    one = b'--b\r\nContent-Disposition: form-data; name="words"\r\n\r\n' + fill + b"\r\n"
    return one * parts + b"--b--\r\n", "multipart/form-data; boundary=b"


def test_a_million_parts_are_soon_refused() -> None:
    import time

    started = time.process_time()
    assert refused(T, *multipart(90_000))[:2] == (413, "too_many_parts")
    assert time.process_time() - started < 1


def test_a_part_of_many_headers_is_refused() -> None:
    body = b"--b\r\n" + b"X-A: b\r\n" * 1000 + b'Content-Disposition: form-data; name="words"\r\n\r\nx\r\n--b--\r\n'
    assert refused(T, body, "multipart/form-data; boundary=b")[:2] == (400, "invalid_form")


def test_sound_that_claims_hours_costs_little() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lying = bytearray(wav(10))
    lying[40:44] = (2**31 - 2).to_bytes(4, "little")  # the data chunk's size
    assert len(ask(S, bytes(lying), "audio/wav")["audio"][0]) == 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_sound_that_is_too_long_is_refused_on_the_way() -> None:
    import soundfile

    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", 44_100, 8, format="FLAC") as file:
        for _ in range(52):
            file.write(np.zeros((100_000, 8), np.int16))
    data = stream.getvalue()
    assert len(data) < 1_000_000
    assert refused(S, data, "audio/flac")[:2] == (413, "sound_too_long")
