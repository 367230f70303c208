"""Bodies of strangers that are no picture, or a picture meant to do harm; each with the answer that is due."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from tests.image import bombs as bombs_here
from tests.image import bombs_apart
from tests.image.samples import encode


@dataclass(frozen=True)
class Hostile:
    """An event and the status that answers it."""

    name: str
    event: dict[str, Any]
    status: int


def post(body: bytes | str | None, media_type: str | None = "image/jpeg") -> dict[str, Any]:
    """The event that the gateway makes of a body: bytes of `image/*`, text of all else."""
    return {
        "httpMethod": "POST",
        "headers": {} if media_type is None else {"Content-Type": media_type},
        "queryStringParameters": None,
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def bodies(photo: bytes) -> Iterator[Hostile]:
    """What is no picture, and `photo`, a JPEG, sent in the wrong way."""
    png = encode(Image.linear_gradient("L"), "PNG")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("photo.jpg", photo)
    mangled = photo.decode("utf-8", "replace")
    for name, body, media_type, status in (
        ("nothing", b"", "image/jpeg", 400),
        ("null", None, "image/jpeg", 400),
        ("text", b"a photo of a dog", "image/jpeg", 400),
        ("text, said to be that", "a photo of a dog", "text/plain", 415),
        ("HTML", "<!doctype html><img src=photo.jpg>", "text/html", 415),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 400),
        ("PDF", b"%PDF-1.7\n1 0 obj", "image/jpeg", 400),
        ("PDF, said to be that", b"%PDF-1.7\n1 0 obj", "application/pdf", 415),
        ("zip of a photo", archive.getvalue(), "image/jpeg", 400),
        ("JSON", '{"image": "photo.jpg"}', "application/json", 400),
        ("form", '--b\r\nContent-Disposition: form-data; name="photo"', "multipart/form-data; boundary=b", 400),
        ("photo as base64", base64.b64encode(photo), "image/jpeg", 400),
        ("photo as a data: address", b"data:image/jpeg;base64," + base64.b64encode(photo), "image/jpeg", 400),
        ("photo, mangled into text", mangled, "application/octet-stream", 415),
        ("photo, mangled into text, said to be JPEG", mangled, "image/jpeg", 400),
        ("photo, said to be PNG", photo, "image/png", 200),
        ("photo, said to be text", photo, "text/plain", 200),
        ("photo, said to be nothing", photo, None, 200),
        ("half a JPEG", photo[: len(photo) // 2], "image/jpeg", 200),
        ("half a PNG", png[: len(png) // 2], "image/png", 400),
        ("a video", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "image/jpeg", 400),
        ("noise", np.random.default_rng(0).bytes(100_000), "image/jpeg", 400),
    ):
        yield Hostile(name, post(body, media_type), status)
    whole = post(photo)
    yield Hostile("body that is not base64", whole | {"body": "%%%"}, 400)
    yield Hostile("body that is an object", whole | {"body": {"photo": 1}}, 400)
    yield Hostile("headers missing", {key: value for key, value in whole.items() if key != "headers"}, 200)
    yield Hostile("only method and body", {"httpMethod": "POST", "body": "x"}, 415)
    yield Hostile("only method", {"httpMethod": "POST"}, 400)
    yield Hostile("no API event", {"photo": "photo.jpg"}, 400)
    yield Hostile("another gateway's event", {"version": "2.0", "rawPath": "/"}, 400)


def bombs(each: int | None = None) -> Iterator[Hostile]:
    """Small files that claim, repeat or unpack to much; all of them, or so many of each kind."""
    for kind in (*bombs_here.KINDS, *bombs_apart.KINDS):
        for name, data, status in islice(kind(), each):
            assert len(data) <= bombs_here.LIMIT, f"{name}: {len(data)}"
            yield Hostile(name, post(data), status)
