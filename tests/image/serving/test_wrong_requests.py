"""Forty wrong requests, and a few more, in the three forms: what each gets, before the model is called."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from PIL import Image

from tests.conftest import without_engine
from tests.predictors import IMAGE, standing

PREDICTOR = '''
"""Finds things on a photo."""
from dataclasses import dataclass
from typing import Annotated, Literal
from msgspec import Meta
from PIL import Image

calls = []

@dataclass
class Box:
    x: float
    y: float = 0.0

def predict(
    photo: Image.Image,
    top: Annotated[int, "how many", Meta(ge=1, le=10)] = 5,
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.5,
    unit: Literal["pixels", "share"] = "pixels",
    exact: bool = False,
    label: Annotated[str, Meta(min_length=1, max_length=5)] = "a",
    tags: list[str] = [],
    box: Box | None = None,
    extra: dict[str, int] = {},
) -> dict[str, int]:
    calls.append(top)
    return {"width": photo.width}
'''
_stream = io.BytesIO()
Image.new("RGB", (8, 6)).save(_stream, "PNG")
PNG = _stream.getvalue()
B64 = base64.b64encode(PNG).decode()


@dataclass(frozen=True)
class Sent:
    """A request as callers send it."""

    body: bytes = PNG
    kind: str = "image/png"
    query: dict[str, Any] = field(default_factory=dict)
    method: str = "POST"


def raw(**query: Any) -> Sent:  # noqa: ANN401 - text, or several
    return Sent(query=query)


def form(photo: bytes | str | None = PNG, **fields: Any) -> Sent:  # noqa: ANN401 - text, or several
    files: list[tuple[str, Any]] = (
        [("photo", ("a.png" if isinstance(photo, bytes) else None, photo))] if photo is not None else []
    )
    for name, values in fields.items():
        files += [(name, (None, value)) for value in (values if isinstance(values, list) else [values])]
    made = requests.Request("POST", "http://x", files=files).prepare()
    assert isinstance(made.body, bytes)
    return Sent(made.body, made.headers["Content-Type"])


def as_json(photo: object = B64, **values: object) -> Sent:
    return Sent(json.dumps({"photo": photo, **values}).encode(), "application/json")


BAD = (400, "invalid_parameter")
WRONG: list[tuple[str, Sent, int, str, str]] = [
    (title, sent, *BAD, said)
    for title, said, *forms in (
        ("below", "top: expected a whole number from 1 to 10", raw(top="0"), form(top="0"), as_json(top=0)),
        ("above", "top: expected a whole number from 1 to 10", raw(top="11"), form(top="11"), as_json(top=11)),
        ("a part", "top: expected a whole number", raw(top="1.5"), form(top="1.5"), as_json(top=1.5)),
        ("a word", "top: expected a whole number", raw(top="many"), form(top="many"), as_json(top="many")),
        ("not yet 1", "share: expected a number from 0 below 1", raw(share="1"), form(share="1"), as_json(share=1)),
        ("no number", "share: expected a", raw(share="nan"), form(share="inf"), as_json(share="nan")),
        ("no choice", "unit: expected one of pixels, share", raw(unit="m"), form(unit="m"), as_json(unit="m")),
        ("no truth", "exact: expected true or false", raw(exact="maybe"), form(exact="maybe"), as_json(exact="yes")),
        ("too long", "label: expected text with a length from 1 to 5", raw(label="toolong"), form(label="toolong"),
         as_json(label="toolong")),
        ("empty", "label: expected text with a length from 1 to 5", raw(label=""), form(label=""), as_json(label="")),
        ("unknown", "tpo is unknown; did you mean top?", raw(tpo="1"), form(tpo="1"), as_json(tpo=1)),
        ("unknown within", "box.z is unknown; there are: x, y", raw(box='{"x": 1, "z": 2}'),
         form(box='{"x": 1, "z": 2}'), as_json(box={"x": 1, "z": 2})),
        ("missing within", "box.x is missing", raw(box="{}"), form(box="{}"), as_json(box={})),
        ("text within", "box.x: expected a number", raw(box='{"x": "1"}'), form(box='{"x": "1"}'),
         as_json(box={"x": "1"})),
        ("no record", "box: expected an object or null", raw(box="[1]"), form(box="[1]"), as_json(box=[1])),
        ("of a list", "tags[0]: expected text", raw(tags="[1]"), form(tags="[1]"), as_json(tags=[1])),
        ("of a dict", "expected a whole number", raw(extra='{"a": "1"}'), form(extra='{"a": "1"}'),
         as_json(extra={"a": "1"})),
        ("null", "expected a whole number", raw(top="null"), form(top="null"), as_json(top=None)),
    )
    for sent in forms
]  # fmt: skip
WRONG += [
    ("twice in the query", raw(top=["1", "2"]), *BAD, "top is given 2 times; it takes one value"),
    ("twice in a form", form(top=["1", "2"]), *BAD, "top is given 2 times; it takes one value"),
    ("broken JSON in the query", raw(box="{"), *BAD, "box: expected JSON"),
    ("broken JSON in a form", form(box="{"), *BAD, "box: expected JSON"),
    ("deep JSON in a form", form(extra='{"a":' * 9999), *BAD, "extra: expected JSON"),
    ("wrong in the body, right in the query", Sent(as_json(top=99).body, "application/json", {"top": "1"}), *BAD,
     "top: "),
    ("no body", Sent(b"", "image/png"), 400, "empty_body", "the body is empty: send a picture"),
    ("nothing", Sent(b"", ""), 400, "empty_body", "image/* takes photo as the body"),
    ("text", Sent(b"hello", "text/plain"), 415, "unsupported_media_type", "text/plain: send the picture's bytes"),
    ("sound", Sent(b"RIFF\0\0\0\0WAVE", "audio/wav"), 415, "unsupported_media_type", "audio/wav: send the picture's"),
    ("no picture", Sent(b"hello", "image/png"), 400, "unsupported_image", "photo: "),
    ("a broken picture", Sent(PNG[:40], "image/png"), 400, "unsupported_image", "photo: "),
    ("a PDF in a form", form(b"%PDF-1.7"), 400, "unsupported_image", "that can be read but a PDF document"),
    ("a form without it", form(None, top="1"), *BAD, "photo is missing; image/* takes photo as the body"),
    ("text for a picture", form("hello"), *BAD, "photo: expected a file as base64 or as a data URL"),
    ("JSON without it", Sent(b'{"top": 1}', "application/json"), *BAD, "photo is missing"),
    ("no base64", as_json("%%%"), *BAD, "photo: expected a file as base64 or as a data URL"),
    ("no data URL", as_json("data:image/png,abc"), *BAD, "photo: expected a data URL in base64"),
    ("a number for a picture", as_json(5), *BAD, "photo: expected a file as base64"),
    ("base64 of no picture", as_json("aGVsbG8="), 400, "unsupported_image", "photo: "),
    ("no JSON", Sent(b"{", "application/json"), 400, "invalid_json", "the body is no JSON"),
    ("a list of JSON", Sent(b"[]", "application/json"), *BAD, "the request: expected an object, got a list"),
    ("deep JSON", Sent(b'{"extra":' + b'{"a":' * 99_999, "application/json"), 400, "invalid_", ""),
    ("NaN in JSON", Sent(b'{"share": NaN}', "application/json"), 400, "invalid_json", "the body is no JSON"),
    ("JSON in Latin-1", Sent(b'{"label": "\xfc"}', "application/json"), 400, "invalid_json", "the body is no JSON"),
    ("a form without a boundary", Sent(b"x", "multipart/form-data"), 400, "invalid_form", "names no boundary"),
    ("no form", Sent(b"x", "multipart/form-data; boundary=b"), 400, "invalid_form", "the body is no form"),
    ("half a form", Sent(form().body[:-9], form().kind), 400, "invalid_form", ""),
    ("a method", Sent(method="DELETE"), 405, "method_not_allowed", "DELETE is not one of GET, POST, OPTIONS"),
]  # fmt: skip


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The handler's module over this predictor."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "wrong_requests.py").write_text(PREDICTOR, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PREDICTOR", "wrong_requests")
        patch.chdir(folder)
        spec = importlib.util.spec_from_file_location("handler_of_wrong_requests", IMAGE / "handler.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def event(sent: Sent) -> dict[str, Any]:
    """As the gateway hands it on."""
    queries = {name: values if isinstance(values, list) else [values] for name, values in sent.query.items()}
    return {
        "httpMethod": sent.method,
        "path": "/",
        "headers": {"Content-Type": sent.kind} if sent.kind else {},
        "queryStringParameters": {name: values[-1] for name, values in queries.items()} or None,
        "multiValueQueryStringParameters": queries or None,
        "body": base64.b64encode(sent.body).decode(),
        "isBase64Encoded": True,
    }


def test_there_are_forty() -> None:
    assert len(WRONG) >= 40
    assert len({(title, sent.body, sent.kind, str(sent.query)) for title, sent, *_ in WRONG}) == len(WRONG)


@pytest.mark.parametrize(("title", "sent", "status", "code", "said"), WRONG, ids=[title for title, *_ in WRONG])
def test_what_it_gets(handler: ModuleType, title: str, sent: Sent, status: int, code: str, said: str) -> None:
    before = len(handler.predictor.calls)
    answer = handler.handler(event(sent))
    error = json.loads(answer["body"])["error"]
    assert (answer["statusCode"], error["code"].startswith(code)) == (status, True), title
    assert said in error["message"]
    assert "\n" not in error["message"]
    assert len(error["message"]) < 600
    assert len(handler.predictor.calls) == before


def test_right_ones_in_the_three_forms(handler: ModuleType) -> None:
    box = {"x": 1}
    for sent in (
        raw(top="1", box=json.dumps(box), tags=["a", "b"]),
        form(top="1", box=json.dumps(box), tags=["a", "b"]),
        as_json(top=1, box=box, tags=["a", "b"]),
    ):
        assert json.loads(handler.handler(event(sent))["body"]) == {"width": 8}


def test_the_same_through_the_local_cloud(cloud_home: Path, name: str, tmp_path: Path) -> None:
    with without_engine(), standing(name, PREDICTOR, cloud_home, tmp_path) as (_, url):
        for title, sent, status, code, said in [row for row in WRONG if row[1].method == "POST"][::6]:
            headers = {"Content-Type": sent.kind} if sent.kind else {}
            answer = requests.post(url, data=sent.body, params=sent.query, headers=headers, timeout=30)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"].startswith(code)) == (status, True), title
            assert said in error["message"]
        assert requests.delete(url, timeout=30).status_code == 403  # the gateway's own
