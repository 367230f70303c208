"""A page of another origin calls the API: what CORS allows, as a browser sees it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.tab import Scene
from tests.servers import Answer, serving

PAGE = Answer(200, b"<!doctype html><title>somebody else's page</title>", "text/html")
# A picture's type is not among those that go without asking, so the browser sends a preflight.
_CALL = """async ([url, content, type]) => {
  const body = Uint8Array.from(atob(content), c => c.charCodeAt(0));
  const reply = await fetch(url, { method: "POST", headers: { "Content-Type": type, "X-Api-Key": "none" }, body });
  return { status: reply.status, answer: await reply.json(), timing: reply.headers.get("Server-Timing") };
}"""


@pytest.mark.parametrize("picture", [True, False])
def test_a_foreign_page_reads_answers_and_errors(browser: Browser, api: str, scene: Scene, picture: bool) -> None:
    content = scene.file.read_bytes() if picture else b"no picture"
    with serving(PAGE) as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        got: dict[str, Any] = page.evaluate(_CALL, [api, base64.b64encode(content).decode(), "image/jpeg"])
    if picture:
        assert (got["status"], got["answer"]["caption"]) == (200, scene.caption)
    else:
        assert (got["status"], got["answer"]["error"]["code"]) == (400, "unsupported_image")
    assert "total;dur=" in got["timing"]


def test_a_foreign_page_may_not_show_ours_in_a_frame(browser: Browser, api: str) -> None:
    frame = f'<!doctype html><iframe src="{api}"></iframe>'.encode()
    with serving(Answer(200, frame, "text/html")) as server, browser.new_context() as context:
        page = context.new_page()
        refusals: list[str] = []
        page.on("console", lambda message: refusals.append(message.text))
        page.goto(server.url, wait_until="load")
        page.wait_for_timeout(100)
        assert any("frame-ancestors" in refusal for refusal in refusals), refusals
        assert all(not frame.locator("#drop").count() for frame in page.frames)
