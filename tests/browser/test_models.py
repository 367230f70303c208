"""The page of any other model: a form for what it takes, and its answers as what they are."""

from __future__ import annotations

import gzip
import wave
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser import models
from tests.browser.tab import Tab

Opened = Callable[..., AbstractContextManager[Tab]]
"""Opens the page of a predictor, given its source, in a tab with those options."""


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Opened:
    @contextmanager
    def opening(source: str, **options: object) -> Iterator[Tab]:
        with models.served(source, tmp_path) as url, Tab.opened(browser, url, **options) as tab:
            yield tab

    return opening


def send(tab: Tab) -> None:
    tab["#inputs .first"].click()
    expect(tab["#answer"]).to_be_focused()
    expect(tab["#took"]).to_contain_text("Answered in")


def picture(folder: Path, name: str = "photo.jpg", size: tuple[int, int] = (400, 300)) -> Path:
    Image.new("RGB", size, "navy").save(folder / name)
    return folder / name


def test_boxes_are_drawn_over_the_picture(opened: Opened, tmp_path: Path) -> None:
    with opened(models.BOXES) as tab:
        expect(tab["h1"]).to_have_text("Finds the brightest spots")
        expect(tab["#about"]).to_have_text("Boxes around what it takes for something.")
        tab["#inputs .first"].click()
        expect(tab["#in-photo-error"]).to_have_text("This is wanted.")
        expect(tab["#in-photo"]).to_be_focused()
        tab["#in-photo"].set_input_files(picture(tmp_path))
        expect(tab[".preview img"]).to_be_visible()
        assert tab["#in-top"].get_attribute("type") == "range"
        tab["#in-top"].fill("3")
        for units in ("pixels", "share"):
            tab["#in-units"].select_option(units)
            send(tab)
            expect(tab["svg.marks polygon"]).to_have_count(3)
            points = tab["svg.marks polygon"].nth(2).get_attribute("points") or ""
            assert [round(float(at)) for at in points.replace(" ", ",").split(",")] == [
                80,
                75,
                160,
                75,
                160,
                135,
                80,
                135,
            ]
            expect(tab["svg.marks text"].first).to_have_text("<b>spot</b> 0")
            expect(tab["tbody tr"]).to_have_count(3)
        expect(tab["#csv"]).to_be_visible()


def test_sound_is_taken_and_a_table_comes(opened: Opened, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\x00\x40" * 8000)
    with opened(models.SOUND) as tab:
        tab["#in-audio"].set_input_files(tmp_path / "tone.wav")
        expect(tab[".preview audio"]).to_be_visible()
        send(tab)
        expect(tab["thead th"]).to_have_text(["start", "end", "loudest"])
        expect(tab["tbody td"]).to_have_text(["0", "1", "0.5"])


def test_sound_is_recorded(opened: Opened) -> None:
    with opened(models.SOUND, permissions=["microphone"]) as tab:
        tab.page.get_by_role("button", name="Record").click()
        stop = tab.page.get_by_role("button", name="Stop")
        expect(stop).to_be_visible()
        tab.page.wait_for_timeout(1500)
        stop.click()
        expect(tab[".preview audio"]).to_be_visible()
        send(tab)
        assert 0.5 < float(tab["tbody td"].nth(1).inner_text()) < 10


def test_without_a_microphone_it_says_so(opened: Opened) -> None:
    with opened(models.SOUND) as tab:
        tab.page.get_by_role("button", name="Record").click()
        expect(tab["#what"]).to_have_text("There is no microphone")


def test_text_gives_labels_as_bars_and_errors_stand_beside(opened: Opened) -> None:
    with opened(models.TEXT) as tab:
        tab["#in-words"].fill("  ")
        tab["#inputs .first"].click()
        expect(tab["#in-words-error"]).to_have_text("say something")
        expect(tab["#in-words"]).to_be_focused()
        tab["#in-words"].fill("what a day")
        tab["#in-exact"].check()
        send(tab)
        expect(tab["#answer li"]).to_have_text(["glad75.0 %", "sad25.0 %"])
        expect(tab["#trouble"]).not_to_be_visible()


def test_two_pictures_become_one(opened: Opened, tmp_path: Path) -> None:
    with opened(models.PICTURES) as tab:
        tab["#in-first"].set_input_files(picture(tmp_path, "a.jpg"))
        tab["#in-second"].set_input_files(picture(tmp_path, "b.png", (40, 90)))
        send(tab)
        expect(tab[".pair img"]).to_have_count(2)
        assert tab[".pair img"].nth(1).evaluate("image => [image.naturalWidth, image.naturalHeight]") == [400, 300]
        with tab.page.expect_download() as download:
            tab["#save"].click()
        assert download.value.suggested_filename == "answer.png"


def test_records_are_json_that_is_checked(opened: Opened) -> None:
    with opened(models.RECORDS) as tab:
        assert tab["#in-flowers"].get_attribute("placeholder") == '[{"petal": 0.5, "sepal": 0.5}]'
        tab["#in-flowers"].fill("[{")
        tab["#inputs .first"].click()
        expect(tab["#in-flowers-error"]).to_contain_text("This is no JSON")
        tab["#in-flowers"].fill('[{"petal": 1}, {"petals": 3}]')
        tab["#inputs .first"].click()
        expect(tab["#in-flowers-error"]).to_contain_text("petals")
        tab["#in-flowers"].fill('[{"petal": 1}, {"petal": 3}]')
        send(tab)
        expect(tab["#answer .said"]).to_have_text(["<i>setosa</i>", "virginica"])


def test_vectors_are_drawn_and_compared(opened: Opened) -> None:
    with opened(models.VECTORS) as tab:
        tab["#in-texts"].fill("one\ntwo\none")
        send(tab)
        expect(tab[".plot polyline"]).to_have_count(3)
        expect(tab["tbody tr"].first.locator("td")).to_have_text(["1.00", tab["td"].nth(1).inner_text(), "1.00"])


def test_parts_are_shown_one_after_the_other(opened: Opened) -> None:
    with opened(models.PARTS) as tab:
        tab["#in-words"].fill("to be or not")
        send(tab)
        expect(tab["#answer .said"]).to_have_text(["to", "be", "or", "not"])


def test_many_rows_are_cut_and_markup_stays_text(opened: Opened) -> None:
    with opened(models.TABLE) as tab:
        tab["#in-rows"].fill("20000")
        send(tab)
        expect(tab["tbody tr"]).to_have_count(200)
        expect(tab["#answer"]).to_contain_text("… and 19,800 more")
        expect(tab["tbody td"].first).to_have_text("<script>0")
        tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab["#csv"].click()
        copied = tab.page.evaluate("navigator.clipboard.readText()").splitlines()
        assert copied[:2] == ['name,"value, in m"', "<script>0,0"]
        assert len(copied) == 20001


SCREENS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing(screen: str, opened: Opened, tmp_path: Path) -> None:
    with opened(models.BOXES, reduced_motion="reduce", **SCREENS[screen]) as tab:
        for step in ("empty", "wrong", "answered"):
            if step == "wrong":
                tab["#inputs .first"].click()
            if step == "answered":
                tab["#in-photo"].set_input_files(picture(tmp_path))
                send(tab)
            results = Axe().run(tab.page)
            assert results.violations_count == 0, results.generate_report()
        assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_is_small(opened: Opened) -> None:
    with opened(models.BOXES) as tab:
        content = tab.page.request.get(tab.url).body()
        assert len(gzip.compress(content)) < 22_000
        assert tab.requested == [tab.url]
