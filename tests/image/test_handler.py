"""The handler as API Gateway and `aws lambda invoke` meet it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

Event = dict[str, Any]
Encode = Callable[..., bytes]
Post = Callable[..., Event]


def call(handler: ModuleType, event: object) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body (parsed when it is JSON) of the answer."""
    answer = handler.handler(event, SimpleNamespace(aws_request_id="request-1"))
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert answer["isBase64Encoded"] is False
    json.dumps(answer)
    headers = answer["headers"]
    body = answer["body"]
    return answer["statusCode"], headers, json.loads(body) if "json" in headers.get("Content-Type", "") else body


def refused(handler: ModuleType, event: object) -> tuple[int, str]:
    """Status and code of an error."""
    status, headers, body = call(handler, event)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert "Traceback" not in body["error"]["message"]
    assert headers["Access-Control-Allow-Origin"] == "*"
    return status, body["error"]["code"]


def test_a_photo_gets_its_caption(handler: ModuleType, post: Post, encode: Encode, scene: Image.Image) -> None:
    status, headers, body = call(handler, post(encode(scene, "JPEG")))
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert body["caption"] == " ".join(body["words"])
    assert set(body) == {"caption", "words", "log_probability", "model"}


def test_parameters_reach_the_predictor(handler: ModuleType, post: Post, encode: Encode, scene: Image.Image) -> None:
    photo = encode(scene, "PNG")
    _, _, body = call(handler, post(photo, "image/png", attention="1", beam="2"))
    assert len(body["attention"]) == len(body["words"])
    event = post(photo, "image/png", beam="99")
    assert refused(handler, event) == (400, "invalid_parameter")
    assert "from 1 to 10" in call(handler, event)[2]["error"]["message"]
    assert refused(handler, post(photo, "image/png", attention="maybe")) == (400, "invalid_parameter")


def test_headers_in_any_case_and_either_form_are_read(
    handler: ModuleType, post: Post, encode: Encode, scene: Image.Image
) -> None:
    event = post(encode(scene, "PNG"))
    for headers, multiple in (
        ({"CONTENT-TYPE": "Image/PNG; x=y"}, None),
        (None, {"Content-Type": ["text/plain", "image/png"]}),
        (None, None),
    ):
        event |= {"headers": headers, "multiValueHeaders": multiple, "queryStringParameters": None}
        assert call(handler, event)[0] == 200
    event["multiValueQueryStringParameters"] = {"beam": ["2", "0"]}
    assert refused(handler, event) == (400, "invalid_parameter")


PHOTO_AS_TEXT = "\ufffd\ufffd\ufffd\ufffd\0\x10JFIF"

REFUSED = [
    (b"", "image/jpeg", 400, "empty_body"),
    ("", "image/jpeg", 400, "empty_body"),
    ("", None, 400, "empty_body"),
    (b"not a picture", "image/jpeg", 400, "unsupported_image"),
    (b"\xff\xd8\xff\xe0", "image/jpeg", 400, "unsupported_image"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 400, "unsupported_image"),
    (b"\0\0\0\x18ftypheic", "image/heic", 400, "unsupported_image"),
    (b"\x89PNG\r\n\x1a\n" + b"\xff" * 999, "image/png", 400, "unsupported_image"),
    (PHOTO_AS_TEXT, "image/jpeg", 400, "invalid_body"),
    (PHOTO_AS_TEXT, "application/x-www-form-urlencoded", 400, "invalid_form"),
    (PHOTO_AS_TEXT, None, 415, "unsupported_media_type"),
    ("\ud800", "text/plain", 415, "unsupported_media_type"),
    ('{"image": "…"}', "application/json", 400, "invalid_parameter"),
    ('{"image"', "application/json", 400, "invalid_json"),
    ("--b\r\nContent-Disposition: form-data", "multipart/form-data; boundary=b", 400, "invalid_form"),
    (b"plain bytes", "application/octet-stream", 415, "unsupported_media_type"),
    (b"plain bytes", "x" * 5000, 415, "unsupported_media_type"),
]


@pytest.mark.parametrize(("body", "content_type", "status", "code"), REFUSED)
def test_what_is_no_photo_is_refused_for_the_right_reason(
    handler: ModuleType, post: Post, body: bytes | str, content_type: str | None, status: int, code: str
) -> None:
    assert refused(handler, post(body, content_type)) == (status, code)


def test_a_photo_that_came_as_bytes_is_taken_whatever_it_is_called(
    handler: ModuleType, post: Post, encode: Encode, scene: Image.Image
) -> None:
    for content_type in ("application/octet-stream", "image/png", None):
        assert call(handler, post(encode(scene, "JPEG"), content_type))[0] == 200


@pytest.mark.parametrize("body", ["%%%", "ab", "/9j/\n/9j/", "é", "=" * 9])
def test_a_body_that_is_not_base64_is_refused(handler: ModuleType, post: Post, body: str) -> None:
    event = post(b"x") | {"body": body}
    assert refused(handler, event) == (400, "invalid_body")


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "warm",
        17,
        {"warm": False},
        {"body": "…"},
        {"httpMethod": None},
        {"httpMethod": 3},
        {"httpMethod": "POST", "headers": "Content-Type: image/jpeg"},
        {"httpMethod": "POST", "queryStringParameters": ["beam"]},
        {"version": "2.0", "requestContext": {"http": {"method": "POST"}}},
        {"Records": [{"eventSource": "aws:s3"}]},
    ],
)
def test_what_is_no_api_event_is_said(handler: ModuleType, event: object) -> None:
    assert refused(handler, event) == (400, "invalid_event")


def test_a_body_that_is_no_text_is_refused(handler: ModuleType, post: Post) -> None:
    assert refused(handler, post(b"x") | {"body": {"a": 1}}) == (400, "invalid_body")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "x" * 500])
def test_other_methods_are_refused_with_those_that_are_not(handler: ModuleType, post: Post, method: str) -> None:
    event = post(b"x") | {"httpMethod": method}
    assert refused(handler, event) == (405, "method_not_allowed")
    assert call(handler, event)[1]["Allow"] == "GET, POST, OPTIONS"


def test_a_browser_may_ask_from_anywhere(handler: ModuleType, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    event = post("") | {"httpMethod": "OPTIONS", "body": None}
    status, headers, body = call(handler, event)
    assert (status, body) == (204, "")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in headers["Access-Control-Allow-Headers"]
    monkeypatch.setenv("CORS_ORIGIN", "https://example.org")
    headers = call(handler, event)[1]
    assert (headers["Access-Control-Allow-Origin"], headers["Vary"]) == ("https://example.org", "Origin")


def test_the_page_needs_nobody_else_and_runs_only_its_own_script(handler: ModuleType, post: Post) -> None:
    event = post("") | {"httpMethod": "GET", "body": None, "headers": None, "multiValueHeaders": None}
    status, headers, page = call(handler, event)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<meta name="model" content="tiny">' in page
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    # Handlers and styles in attributes, which the policy would block, and anything from elsewhere.
    assert not re.search(r"<[^>]+\s(?:on\w+|style)\s*=", page)
    assert not re.search(
        r"""(?:https?:)?//(?!www\.w3\.org/2000/svg)\w|(?:src|href)="(?!data:)""", re.sub(r"(?m)\s//.*", "", page)
    )


def test_who_has_the_page_is_not_sent_it_again(handler: ModuleType, post: Post) -> None:
    event = post("") | {"httpMethod": "GET", "body": None}
    tag = call(handler, event)[1]["ETag"]
    status, headers, page = call(handler, event | {"headers": {"If-None-Match": f'"other", {tag}'}})
    assert (status, page, headers["ETag"], headers["Cache-Control"]) == (304, "", tag, "public, max-age=3600")
    assert call(handler, event | {"headers": {"If-None-Match": '"other"'}})[0] == 200


@pytest.mark.parametrize("event", [{}, {"warm": True}])
def test_a_direct_invoke_warms(handler: ModuleType, event: Event) -> None:
    answer = handler.handler(event, None)
    assert answer["warm"] is True
    assert answer["model"] == "tiny"
