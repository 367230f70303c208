"""What axe finds wrong for people with disabilities (https://github.com/dequelabs/axe-core): nothing, in any state."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.gateway import Gateway, refusal
from tests.browser.tab import Scene, Tab

SCREENS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}


def check(tab: Tab) -> None:
    results = Axe().run(tab.page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_axe_finds_nothing(browser: Browser, gateway: Gateway, scene: Scene, screen: Mapping[str, object]) -> None:
    with Tab.opened(browser, gateway.url, reduced_motion="reduce", **screen) as tab:
        check(tab)
        tab.read(scene.file)
        tab[".word"].nth(3).click()
        tab["summary"].click()
        check(tab)
        gateway.answers += [refusal(502, "Internal server error"), refusal(403, "Forbidden")]
        tab.choose(scene.file)
        expect(tab["#what"]).to_have_text("The function failed")
        check(tab)
        tab["#again"].click()
        expect(tab["#secret"]).to_be_focused()
        check(tab)


def test_all_of_it_is_reached_by_keyboard_alone(tab: Tab, scene: Scene) -> None:
    def walk() -> list[str]:
        reached: list[str] = []
        while True:
            tab.page.keyboard.press("Tab")
            name = tab.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
            if name in reached or tab.page.evaluate("document.activeElement === document.body"):
                return reached
            reached.append(name)
            outline = tab.page.evaluate(
                "getComputedStyle(document.activeElement.matches('.away') ? document.activeElement.parentElement"
                " : document.activeElement).outlineStyle"
            )
            assert outline != "none", name

    assert walk() == ["file", "example"]
    words = tab.read(scene.file)["words"]
    # From the answer to the end of the page, and then from its top.
    assert {*walk(), *walk()} == {"file2", words[0], "play", "text", "curl", "beam", "The API’s answer"}
