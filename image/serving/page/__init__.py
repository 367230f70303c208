"""The web page: one answer that needs nothing else, under a policy that lets it do nothing else.

Its script and style are named by their hashes and not by a nonce, so every answer is the same and may be kept by
browsers and by what stands in front of the gateway: each request starts the function. Who asks again after an hour is
told 304 without a body.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from serving.gateway import Response

if TYPE_CHECKING:
    from serving.contract import Contract
    from serving.gateway import Request


def page(http: Request, model: str, contract: Contract) -> Response:
    """The page, or 304 for who has it already; `model` is the name of what it talks to.

    Who takes one photo and gives a caption, or an answer of which nothing is known, gets the page for that; for every
    other predictor a form is made from its description.
    """
    text, headers = _page(model, *(() if _is_about_a_photo(contract) else (contract.title, _described(contract))))
    if headers["ETag"] in http.headers.get("if-none-match", ""):
        return Response(304, "", headers)
    return Response(200, text, headers)


def _is_about_a_photo(contract: Contract) -> bool:
    first, answer = contract.first, getattr(contract.answer, "__annotations__", {})
    return contract.legacy or (first is not None and first.kind == "picture" and "caption" in answer)


def _described(contract: Contract) -> str:
    """`/openapi.json` as the content of a script of data, which only "<" could end."""
    from serving.openapi import document

    return json.dumps(document(contract), ensure_ascii=False).replace("<", "\\u003c")


@cache
def _page(model: str, title: str = "", openapi: str = "") -> tuple[str, dict[str, str]]:
    parts = {
        "style": _read("style.css"),
        "common": _read("common.js"),
        "trouble": _read("trouble.html"),
        "model": escape(model),
        "title": escape(title),
        "openapi": openapi,
    }
    text = re.sub(r"\{\{(\w+)\}\}", lambda part: parts[part[1]], _read("model.html" if openapi else "photo.html"))
    policy = (
        f"default-src 'none'; script-src {_hash(text, 'script')}; style-src {_hash(text, 'style')}; "
        "img-src blob: data:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "public, max-age=3600",
        # Weak, since the gateway compresses the page: the same, but not byte for byte.
        "ETag": f'W/"{sha256(text.encode()).hexdigest()[:16]}"',
    }
    return text, headers


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str, tag: str) -> str:
    """The one element `tag` of the page as a source of its policy."""
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
