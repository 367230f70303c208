"""Chromium without a window, as the tests, the measurements and the pictures use it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

# Nothing but the page under test goes over the network. A sandbox takes rights that containers and root do not have.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
]


def executable() -> str | None:
    """The system's Chromium: Playwright's own is a download that nobody but it can make."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def running(path: str) -> Iterator[Browser]:
    """A browser with a profile of its own, which is gone afterwards."""
    environ: dict[str, str | float | bool] = {
        **os.environ,
        "FONTCONFIG_FILE": str(Path(__file__).with_name("fonts.conf")),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS, env=environ)
        try:
            yield browser
        finally:
            browser.close()
