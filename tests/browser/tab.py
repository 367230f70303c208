"""A tab of the browser with the page in it, and what a person does there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

# Keeps which words were lit, in order. The page's policy forbids to run text, so this comes before the page.
_WATCH = """
window.lit = [];
addEventListener("DOMContentLoaded", () => new MutationObserver(changes => {
  for (const { target } of changes) {
    const word = target.textContent;
    if (target.classList.contains("on") && window.lit.at(-1) !== word) window.lit.push(word);
  }
}).observe(document.getElementById("caption") ?? document.body, { subtree: true, attributeFilter: ["class"] }));
"""
# What a person's hand carries: files on a DataTransfer.
_HAND = """([name, type, content]) => {
  const hand = new DataTransfer();
  hand.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], name, { type }));
  return hand;
}"""
_PASTE = "hand => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: hand }))"
# The point of the photo that is darkened least, in shares of its width and height.
_BRIGHTEST = """canvas => {
  const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let best = 3;
  for (let i = 3; i < data.length; i += 4) if (data[i] < data[best]) best = i;
  const pixel = (best - 3) / 4;
  return [(pixel % width + 0.5) / width, (Math.floor(pixel / width) + 0.5) / canvas.height];
}"""
_FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(
  list => list.getEntriesByName("first-contentful-paint").forEach(entry => done(entry.startTime))
).observe({ type: "paint", buffered: true }))"""
_DARKEST = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((most, value, i) => i % 4 === 3 ? Math.max(most, value) : most, 0);
}"""


@dataclass(frozen=True)
class Scene:
    file: Path
    caption: str


@dataclass
class Tab:
    """`page` at `url`. Everything that went wrong in it is in `complaints`, every address it asked in `requested`."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def opened(cls, browser: Browser, url: str, **options: Any) -> Iterator[Tab]:  # noqa: ANN401 - Playwright's many
        """`options` are those of `Browser.new_context`."""
        with browser.new_context(**options) as context:
            context.add_init_script(_WATCH)
            page = context.new_page()
            tab = cls(page, url)
            page.on("console", tab._heard)
            page.on("pageerror", lambda error: tab.complaints.append(str(error)))
            page.on("request", tab._saw)
            page.goto(url)
            yield tab
            assert tab.complaints == [], tab.complaints
            strangers = [one for one in tab.requested if not one.startswith((url, "blob:", "data:"))]
            assert strangers == []

    def _heard(self, message: ConsoleMessage) -> None:
        # Chromium itself reports every status of 400 and more, and connections that broke.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def _saw(self, request: Request) -> None:
        self.requested.append(request.url)

    def __getitem__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def choose(self, file: Path) -> None:
        self["input[type=file]:visible, #file"].first.set_input_files(file)

    def carry(self, name: str, media_type: str, content: bytes) -> Any:  # noqa: ANN401 - a handle
        return self.page.evaluate_handle(_HAND, [name, media_type, base64.b64encode(content).decode()])

    def drop(self, name: str, media_type: str, content: bytes) -> None:
        hand = self.carry(name, media_type, content)
        self["body"].dispatch_event("dragover", {"dataTransfer": hand})
        expect(self["body"]).to_have_class("over")
        self["body"].dispatch_event("drop", {"dataTransfer": hand})
        expect(self["body"]).not_to_have_class("over")

    def paste(self, name: str, media_type: str, content: bytes) -> None:
        self.page.evaluate(_PASTE, self.carry(name, media_type, content))

    def read(self, file: Path) -> dict[str, Any]:
        """Chooses `file` and waits until the whole caption is said; gives the API's answer."""
        with self.page.expect_response(lambda reply: reply.request.method == "POST") as reply:
            self.choose(file)
        answer: dict[str, Any] = json.loads(reply.value.text())
        self.expect_said(answer["caption"])
        return answer

    def expect_said(self, caption: str) -> None:
        expect(self["#caption"]).to_have_text(caption)
        expect(self["#play"]).to_have_text("Play")  # and not "Pause", as while it speaks
        expect(self[".unsaid"]).to_have_count(0)

    @property
    def lit(self) -> list[str]:
        """The words that were lit since the page was opened, or since this was last asked."""
        words: list[str] = self.page.evaluate("window.lit.splice(0)")
        return words

    @property
    def brightest(self) -> tuple[float, float]:
        x, y = self["#shade"].evaluate(_BRIGHTEST)
        return x, y

    @property
    def darkest(self) -> int:
        """0 (nothing is darkened) to 255."""
        return int(self["#shade"].evaluate(_DARKEST))

    @property
    def first_paint(self) -> float:
        """When the first text or picture was painted, in ms after the page was asked for."""
        return float(self.page.evaluate(_FIRST_PAINT))

    def settle(self) -> None:
        """Waits until the shade has stopped to move."""
        self.page.evaluate("async () => { do await new Promise(requestAnimationFrame); while (drawing); }")
