"""A function that has yet to start: the page says so, and waits."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.gateway import Gateway, refusal
from tests.browser.tab import Scene, Tab


def test_a_silence_is_explained(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    gateway.delay = 3.5
    tab.choose(scene.file)
    expect(tab["#saying"]).to_have_text("Looking …")
    expect(tab["#saying"]).to_contain_text("The function is starting")
    expect(tab["#seconds"]).to_have_text("1 s")
    tab.expect_said(scene.caption)
    expect(tab["#seconds"]).to_be_empty()
    expect(tab["#saying"]).not_to_be_in_viewport(ratio=0.1)  # the caption itself is there to read
    tab.choose(scene.file)
    expect(tab["#saying"]).to_contain_text("The function is starting")
    expect(tab["#saying"]).to_be_in_viewport(ratio=0.9)


def test_a_slow_upload_is_told_from_its_start(tab: Tab, gateway: Gateway, tmp_path: Path) -> None:
    """And not taken for a function that starts."""
    noise = tmp_path / "noise.png"
    Image.effect_noise((1280, 960), 100).save(noise)
    network = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}  # bytes a second
    tab.page.context.new_cdp_session(tab.page).send("Network.emulateNetworkConditions", network)
    tab.choose(noise)
    expect(tab["#saying"]).to_have_text("Sending it …")
    expect(tab["#seconds"]).to_have_text("3 s")
    expect(tab["#sent"]).to_be_visible()
    assert gateway.posted == []
    expect(tab["#caption"]).to_be_focused()
    expect(tab["#sent"]).not_to_be_visible()


def test_a_gateway_that_gave_up_is_asked_again(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    gateway.answers += [refusal(504, "Endpoint request timed out"), refusal(503, "Service Unavailable")]
    tab.choose(scene.file)
    expect(tab["#saying"]).to_contain_text("still starting")
    tab.expect_said(scene.caption)
    assert len(gateway.posted) == 3
    assert len({one.body for one in gateway.posted}) == 1


@pytest.mark.parametrize(
    ("status", "waiting", "what"),
    [
        (429, "Waiting for a turn", "Too many callers at once"),
        (504, "still starting", "The function takes too long"),
    ],
)
def test_patience_has_an_end(tab: Tab, gateway: Gateway, scene: Scene, status: int, waiting: str, what: str) -> None:
    gateway.answers += [refusal(status, "…")] * 50
    tab.page.clock.install()
    tab.choose(scene.file)
    expect(tab["#saying"]).to_contain_text(waiting)
    # The page's clock is ours, the network's is not: some of each until the page gives up.
    while tab["#trouble"].is_hidden():
        tab.page.clock.run_for(5_000)
        tab.page.wait_for_timeout(20)
        assert gateway.answers
    expect(tab["#what"]).to_have_text(what)
    assert len(gateway.posted) > 4
