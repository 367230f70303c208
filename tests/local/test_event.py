"""HTTP as a function sees it, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from serving.gateway import request

from lambdacap.local.event import event, is_too_large, refused, response


def test_the_handler_reads_what_came() -> None:
    headers = [("content-type", "text/plain"), ("accept", "a"), ("accept", "b")]
    read = request(event("POST", "/a%20b", "x=1&x=2&empty=", headers, b"\xff\x00"))
    assert (read.method, read.path, read.body, read.binary) == ("POST", "/a%20b", b"\xff\x00", True)
    assert read.queries == {"x": ("1", "2"), "empty": ("",)}
    assert read.headers == {"content-type": "text/plain", "accept": "b"}


def test_lambdas_limit_counts_base64() -> None:
    assert not is_too_large(event("POST", "/", "", [], b"a" * 4_700_000))
    assert is_too_large(event("POST", "/", "", [], b"a" * 4_720_000))


def test_an_answer() -> None:
    result = {"statusCode": 200, "headers": {"A": "b"}, "body": "/wA=", "isBase64Encoded": True}
    assert response(result).body == b"\xff\x00"
    assert response({"statusCode": 204}).body == b""
    assert json.loads(refused(413, "x", "y").body) == {"error": {"code": "x", "message": "y"}}


@pytest.mark.parametrize("result", [None, [], {}, {"statusCode": "200"}])
def test_what_is_no_answer(result: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="no answer"):
        response(result)
