"""Pictures of the page for the README, light and dark.

python tests/browser/screenshots.py [--output docs] [--all FOLDER]

Deploys the demo model to a local cloud of its own, which is gone afterwards. `--all` also writes every other state of
the page to FOLDER, for somebody to look at.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "image")]

import numpy as np  # noqa: E402
from demo.painter import render  # noqa: E402
from demo.scenes import random_scene  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402

from lambdacap.events import silent  # noqa: E402
from lambdacap.local import cloud  # noqa: E402
from lambdacap.operations import deploy  # noqa: E402
from lambdacap.settings import Settings  # noqa: E402
from tests.browser import chromium  # noqa: E402
from tests.browser.gateway import Gateway, before, refusal  # noqa: E402
from tests.browser.tab import Tab  # noqa: E402
from tests.command import NO_ENGINE  # noqa: E402

DESK = {"viewport": {"width": 1200, "height": 720}, "device_scale_factor": 1.5}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCREENS: dict[str, dict[str, object]] = {
    "light": {**DESK, "color_scheme": "light"},
    "dark": {**DESK, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light"},
    "phone-dark": {**PHONE, "color_scheme": "dark"},
}
SEED, WORD = 40, "heart"


@contextmanager
def deployed() -> Iterator[str]:
    """The URL of the demo model, deployed for the time being."""
    os.environ["DOCKER_HOST"] = NO_ENGINE
    with tempfile.TemporaryDirectory(prefix="lambdacap-") as folder:
        home = Path(folder) / "home"
        try:
            yield (
                deploy.deploy(Settings(name="pictures", local=True, docker=False, home=home), silent).deployment.url
                or ""
            )
        finally:
            cloud.discard(home, silent)


def read(tab: Tab, scene: Path, word: str) -> None:
    """Has `scene` read, and points at a word."""
    words = tab.read(scene)["words"]
    tab[".word"].nth(words.index(word)).click()
    tab.page.mouse.move(0, 0)
    tab.page.evaluate("document.activeElement.blur()")
    tab.settle()
    tab.page.wait_for_timeout(300)


def other_states(browser: Browser, gateway: Gateway, scene: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for screen, options in SCREENS.items():
        with Tab.opened(browser, gateway.url, reduced_motion="reduce", **options) as tab:

            def shoot(state: str, tab: Tab = tab, screen: str = screen) -> None:
                tab.page.screenshot(path=folder / f"{screen}-{state}.png", full_page=True)

            shoot("1-empty")
            gateway.delay = 4
            tab.choose(scene)
            tab.page.wait_for_timeout(3_300)
            shoot("2-cold")
            gateway.delay = 0
            tab.expect_said(tab["#caption"].inner_text(timeout=30_000))
            tab.page.wait_for_timeout(1_500)
            tab["summary"].click()
            shoot("3-answer")
            gateway.answers += [refusal(502, "…"), refusal(403, "Forbidden")]
            for state in ("4-error", "5-key"):
                with tab.page.expect_response(lambda reply: reply.request.method == "POST"):
                    tab.choose(scene)
                tab["#trouble"].wait_for()
                shoot(state)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of the page for the README.")
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every state on every screen, too")
    arguments = parser.parse_args()
    path = chromium.executable()
    if path is None:
        sys.exit("there is no Chromium: tests/browser/install installs it on Debian")
    arguments.output.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed() as api,
        chromium.running(path) as browser,
        before(api) as gateway,
    ):
        rng = np.random.default_rng(SEED)
        painted = random_scene(rng)
        scene = Path(folder) / "scene.jpg"
        render(painted, rng, 960).save(scene, quality=92)
        print(painted.caption())
        for screen in ("light", "dark"):
            with Tab.opened(browser, gateway.url, reduced_motion="reduce", **SCREENS[screen]) as tab:
                read(tab, scene, WORD)
                picture = Image.open(io.BytesIO(tab.page.screenshot()))
            file = arguments.output / f"page-{screen}.webp"
            picture.save(file, quality=92, method=6)
            print(f"{file} {file.stat().st_size / 1000:.0f} kB")
        if arguments.all:
            other_states(browser, gateway, scene, arguments.all)


if __name__ == "__main__":
    main()
