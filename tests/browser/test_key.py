"""An API that wants a key: the page asks for it, and keeps it in the tab only."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from lambdacap.events import silent
from lambdacap.operations import deploy
from lambdacap.operations.access import api_key
from lambdacap.operations.teardown import teardown
from lambdacap.settings import Settings
from tests.browser.gateway import Gateway
from tests.browser.tab import Scene, Tab
from tests.servers import Answer, serving

CLIPBOARD = ["clipboard-read", "clipboard-write"]
KEY = "correct-horse-battery-staple"
_POST = """async url => {
  const reply = await fetch(url, { method: "POST" });
  return [reply.status, await reply.json()];
}"""
_ELSEWHERE = "JSON.stringify(localStorage) + document.cookie + location.href + document.documentElement.outerHTML"


def give(tab: Tab, key: str) -> None:
    expect(tab["#secret"]).to_be_focused()
    tab.page.keyboard.type(key)
    tab.page.keyboard.press("Enter")


def test_the_key_is_asked_for_and_kept_in_the_tab(browser: Browser, gateway: Gateway, scene: Scene) -> None:
    gateway.key = KEY
    with Tab.opened(browser, gateway.url, permissions=CLIPBOARD, reduced_motion="reduce") as tab:
        tab.choose(scene.file)
        expect(tab["#what"]).to_have_text("This API wants a key")
        give(tab, "wrong")
        expect(tab["#what"]).to_have_text("This key is not accepted")
        give(tab, f" {KEY} ")
        tab.expect_said(scene.caption)
        expect(tab["#trouble"]).not_to_be_visible()
        assert KEY not in tab.page.evaluate(_ELSEWHERE)
        tab["#curl"].click()
        command = tab.page.evaluate("navigator.clipboard.readText()")
        assert '-H "X-Api-Key: $API_KEY"' in command
        assert KEY not in command

        tab.page.reload()
        tab.read(scene.file)
        another = tab.page.context.new_page()
        another.goto(gateway.url)
        another.set_input_files("#file", scene.file)
        expect(another.locator("#what")).to_have_text("This API wants a key")
    assert [one.headers.get("x-api-key") for one in gateway.posted] == [None, "wrong", KEY, KEY, None]


def test_a_deployment_with_a_key(browser: Browser, cloud_home: Path, scene: Scene, no_engine: None) -> None:  # noqa: ARG001
    settings = Settings(name="browser-key", local=True, docker=False, auth="key", home=cloud_home)
    url = deploy.deploy(settings, silent).deployment.url or ""
    try:
        with Tab.opened(browser, url, reduced_motion="reduce") as tab:
            tab.choose(scene.file)
            expect(tab["#what"]).to_have_text("This API wants a key")
            give(tab, "wrong")
            expect(tab["#what"]).to_have_text("This key is not accepted")
            give(tab, api_key(settings))
            tab.expect_said(scene.caption)
        # The gateway's own refusal is for pages of other origins to read, too.
        with serving(Answer(200, b"<!doctype html>", "text/html")) as elsewhere, browser.new_context() as context:
            page = context.new_page()
            page.goto(elsewhere.url)
            assert page.evaluate(_POST, url) == [403, {"message": "Forbidden"}]
    finally:
        teardown(settings, silent)


def test_a_wrong_key_is_not_kept(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    gateway.key = KEY
    tab.choose(scene.file)
    give(tab, "wrong")
    expect(tab["#what"]).to_have_text("This key is not accepted")
    tab.page.reload()
    tab.choose(scene.file)
    expect(tab["#what"]).to_have_text("This API wants a key")
