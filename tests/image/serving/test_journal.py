"""The function's log: one line of JSON a request, metrics for CloudWatch, and nothing that a caller sent."""

from __future__ import annotations

import base64
import json
import re
import sys
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from serving import journal

Event = dict[str, Any]
Encode = Callable[..., bytes]
Post = Callable[..., Event]
Told = Callable[..., list[dict[str, Any]]]

CONTEXT = SimpleNamespace(aws_request_id="request-1")


@pytest.fixture
def told(handler: ModuleType, capsys: pytest.CaptureFixture[str]) -> Told:
    """The log lines of events."""

    def ask(*events: object) -> list[dict[str, Any]]:
        capsys.readouterr()
        for event in events:
            handler.handler(event, CONTEXT)
        out, err = capsys.readouterr()
        assert err == ""
        lines = out.splitlines()
        assert len(lines) == len(events)
        return [json.loads(line) for line in lines]

    return ask


def test_one_line_a_request(told: Told, post: Post, encode: Encode, scene: Image.Image) -> None:
    photo = encode(scene, "JPEG")
    warm, good, bad, page = told({}, post(photo), post(b"no picture"), {"httpMethod": "GET"})
    assert warm["event"] == "warm"
    assert {entry["event"] for entry in (good, bad, page)} == {"request"}
    assert good["request_id"] == "request-1"
    assert (good["status"], good["method"], good["format"], good["size"]) == (200, "POST", "JPEG", [48, 32])
    assert (good["bytes"], good["truncated"], good["cold"]) == (len(photo), False, False)
    assert 0 <= good["decode_ms"] + good["predict_ms"] <= good["ms"] + 0.2
    assert 0 <= good["encode_ms"] + good["beam_ms"] <= good["predict_ms"] + 0.2
    assert good["words"] > 0
    assert "code" not in good
    assert (bad["status"], bad["code"]) == (400, "unsupported_image")
    assert (page["status"], page["method"]) == (200, "GET")


def test_nothing_that_a_caller_sent_is_in_the_log(told: Told, post: Post, encode: Encode, scene: Image.Image) -> None:
    private = "at-home-52.5163N"
    exif = Image.Exif()
    exif[0x010E] = private
    exif.get_ifd(0x8825)[29] = private  # GPSDateStamp, a text
    text = PngInfo()
    text.add_text("Comment", private)
    jpeg, png = encode(scene, "JPEG", exif=exif), encode(scene, "PNG", exif=exif, pnginfo=text)
    # A chunk whose type is no letters: Pillow's error quotes it.
    bad_chunk = png[:33] + b"\0\0\0\x04" + private[:4].encode() + png[41:]
    headers = {"X-Api-Key": private, "Authorization": private, "Content-Type": f"image/jpeg; {private}"}
    events = [post(data) for data in (jpeg, png, jpeg[:200], png[:90], bad_chunk, png.replace(b"IHDR", b"at-h"))]
    events += [post(private, private), post(private), post(jpeg, beam=private), post(jpeg, private, other=private)]
    events += [{**event, "path": private, "requestContext": {"identity": {"apiKey": private}}} for event in events]
    events += [{**event, "headers": headers, "multiValueHeaders": {}} for event in events]
    entries = told(*events)
    assert {entry["status"] for entry in entries} == {200, 400, 415}
    written = json.dumps(entries)
    assert private not in written
    assert private[:4] not in written
    for data in (jpeg, png):
        assert base64.b64encode(data).decode()[:20] not in written


def test_a_broken_picture_is_logged_with_the_place_where_it_broke(told: Told, post: Post, encode: Encode) -> None:
    (entry,) = told(post(encode(Image.new("RGB", (99, 99)), "PNG")[:60]))
    assert re.fullmatch(r"\w+ in \w+\.py:\d+", entry["cause"])


def check_embedded(entry: dict[str, Any]) -> dict[str, float]:
    """The metrics of a line, held to the format's specification: each one a number at the root."""
    about = entry["_aws"]
    assert set(about) == {"Timestamp", "CloudWatchMetrics"}
    assert abs(about["Timestamp"] / 1000 - time.time()) < 60
    (directive,) = about["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("lambdacap", [["function"]])
    assert entry["function"] == "captions"
    assert {metric["Unit"] for metric in directive["Metrics"]} <= {"Count", "Milliseconds"}
    values = {metric["Name"]: entry[metric["Name"]] for metric in directive["Metrics"]}
    assert all(type(value) in (int, float) for value in values.values())
    return values


def test_the_line_carries_metrics(
    told: Told, post: Post, encode: Encode, scene: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "_aws" not in told(post(b""))[0]
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "captions")
    good, bad, warm = told(post(encode(scene)), post(b"no picture"), {"warm": True})
    taken = check_embedded(good)
    assert taken.pop("Duration") == good["ms"]
    assert taken == {"Requests": 1, "Refused": 0, "Errors": 0, "ColdStarts": 0}
    assert check_embedded(bad) == {"Requests": 1, "Refused": 1, "Errors": 0, "ColdStarts": 0}
    assert "_aws" not in warm


def test_bugs_and_cold_starts_are_counted() -> None:
    entry = {"status": 500, "cold": True, "ms": 12.5}
    assert check_embedded(journal.metrics(entry, "captions", time.time())) == {
        "Requests": 1,
        "Refused": 0,
        "Errors": 1,
        "ColdStarts": 1,
    }


def test_a_cold_start_tells_its_init_first() -> None:
    entry = {"cold": True, "init_ms": 301.5, "status": 200, "decode_ms": 2.0, "ms": 99.9}
    assert journal.server_timing(entry) == "init;dur=301.5, decode;dur=2.0, total;dur=99.9"


@pytest.mark.parametrize(
    "talk",
    [
        lambda: print("half a line", end=""),
        lambda: print("to the other stream", end="", file=sys.stderr),
        lambda: sys.stdout.writelines(["one\n", "two"]),
        lambda: sys.stdout.buffer.write(b"past it"),
    ],
)
def test_a_predictor_that_leaves_its_line_open_loses_no_entry(
    handler: ModuleType,
    post: Post,
    encode: Encode,
    scene: Image.Image,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    talk: Callable[[], object],
) -> None:
    def predict(*_given: object, **_options: object) -> dict[str, object]:
        talk()
        return {"caption": "x"}

    monkeypatch.setattr(handler.predictor, "predict", predict)
    handler.handler(post(encode(scene, "PNG")), CONTEXT)
    handler.handler(post(encode(scene, "PNG")), CONTEXT)
    out, _ = capfd.readouterr()
    entries = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [entry["status"] for entry in entries] == [200, 200]
