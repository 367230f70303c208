"""The page as a person meets it: from a picture to where the model looked for a word."""

from __future__ import annotations

import io
import json
import subprocess
from itertools import pairwise
from math import exp

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Browser, expect

from tests.browser.gateway import Gateway
from tests.browser.tab import Scene, Tab
from tests.image.samples import tiff, tiff_file
from tests.servers import Answer

MOST_BYTES = 17_000  # compressed
CLIPBOARD = ["clipboard-read", "clipboard-write"]


def test_from_a_dropped_picture_to_the_attention_of_a_word(moving: Tab, scene: Scene) -> None:
    with moving.page.expect_response(lambda reply: reply.request.method == "POST") as reply:
        moving.drop("scene.jpg", "image/jpeg", scene.file.read_bytes())
    answer = json.loads(reply.value.text())
    assert answer["caption"] == scene.caption
    moving.expect_said(scene.caption)
    expect(moving["#saying"]).to_have_text(f"It says: {scene.caption}")
    assert moving.lit == answer["words"]  # one after the other, as they were said
    moving.settle()
    assert moving.darkest == 0  # and then the photo is as it was

    moving[".word"].first.focus()
    for index, grid in enumerate(answer["attention"]):
        expect(moving[".word"].nth(index)).to_be_focused()
        expect(moving[".word.on"]).to_have_text(answer["words"][index])
        moving.settle()
        most = max(value for row in grid for value in row)
        x, y = moving.brightest
        assert grid[int(y * len(grid))][int(x * len(grid[0]))] > most / 2
        assert moving.darkest > 100
        moving.page.keyboard.press("ArrowRight")
    assert moving.lit == answer["words"]
    moving.page.keyboard.press("Home")
    expect(moving[".word.on"]).to_have_text(answer["words"][0])
    moving.page.keyboard.press("Escape")
    expect(moving[".word.on"]).to_have_count(0)


def test_pointing_shows_while_it_lasts_and_a_click_holds(tab: Tab, scene: Scene) -> None:
    answer = tab.read(scene.file)
    tab[".word"].nth(2).hover()
    expect(tab[".word.on"]).to_have_text(answer["words"][2])
    tab["footer"].hover()
    expect(tab[".word.on"]).to_have_count(0)
    tab[".word"].nth(3).click()
    tab[".word"].nth(1).hover()
    expect(tab[".word.on"]).to_have_text(answer["words"][1])
    tab["footer"].hover()
    expect(tab[".word.on"]).to_have_text(answer["words"][3])
    tab[".word"].nth(3).click()
    tab["footer"].hover()
    expect(tab[".word.on"]).to_have_count(0)


def test_a_word_says_where_to_those_who_cannot_see_it(tab: Tab, scene: Scene) -> None:
    words = tab.read(scene.file)["words"]
    star = words.index("star")
    expect(tab[".word"].nth(star)).to_have_attribute("aria-label", "star, looked at the left")


def test_a_phone_taps_and_takes_photos(browser: Browser, gateway: Gateway, scene: Scene) -> None:
    screen = {"width": 390, "height": 844}
    with Tab.opened(
        browser, gateway.url, viewport=screen, has_touch=True, is_mobile=True, reduced_motion="reduce"
    ) as tab:
        expect(tab["#camera"]).to_have_attribute("capture", "environment")
        expect(tab["label:has(#camera)"]).to_be_visible()
        answer = tab.read(scene.file)
        tab[".word"].nth(3).tap()
        expect(tab[".word.on"]).to_have_text(answer["words"][3])
        tab[".word"].nth(3).tap()
        expect(tab[".word.on"]).to_have_count(0)
        assert tab.page.evaluate("document.documentElement.scrollWidth") == screen["width"]


def test_play_walks_through_the_words_and_stops(moving: Tab, scene: Scene) -> None:
    words = moving.read(scene.file)["words"]
    assert moving.lit == words
    moving["#play"].click()
    expect(moving["#play"]).to_have_text("Pause")
    expect(moving[".word.on"]).to_have_text(words[1])
    moving["#play"].click()
    expect(moving["#play"]).to_have_text("Play")
    expect(moving[".word.on"]).to_have_count(0)
    assert moving.lit == words[:2]


def test_nothing_moves_for_those_who_ask_for_it(tab: Tab, scene: Scene) -> None:
    tab.read(scene.file)
    assert tab.lit == []
    tab[".word"].nth(3).hover()
    assert tab.page.evaluate("document.getAnimations().length") == 0


def test_a_pasted_picture_is_read(tab: Tab, scene: Scene) -> None:
    tab.paste("image.png", "image/jpeg", scene.file.read_bytes())
    tab.expect_said(scene.caption)


def test_the_example_is_read_right(tab: Tab) -> None:
    tab["#example"].click()
    tab.expect_said("a large red circle above two small blue squares")


def test_photos_are_shrunk_upright_and_lose_their_exif(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its left side
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 3.0)  # was taken there
    photo = io.BytesIO()
    with Image.open(scene.file) as image:
        large = image.transpose(Image.Transpose.ROTATE_90).resize((2240, 4000))
        large.save(photo, "JPEG", exif=exif, quality=95)
    tab.drop("photo.jpg", "image/jpeg", photo.getvalue())
    tab.expect_said(scene.caption)
    (sent,) = gateway.posted
    assert sent.headers["content-type"] == "image/jpeg"
    assert len(sent.body) < len(photo.getvalue()) / 3
    with Image.open(io.BytesIO(sent.body)) as arrived:
        assert arrived.size == (1280, 717)
        assert not arrived.getexif()
        assert b"Exif" not in sent.body


def test_what_the_browser_cannot_show_is_read_all_the_same(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    photo = io.BytesIO()
    with Image.open(scene.file) as image:
        pillow_heif.from_pillow(image).save(photo)
    tab.drop("photo.heic", "image/heic", photo.getvalue())
    tab.expect_said(scene.caption)
    expect(tab["#photo"]).to_have_attribute("alt", "This browser cannot show this picture.")
    assert gateway.posted[-1].headers["content-type"] == "image/heic"


SECRET = b"48.8584 N 2.2945 E"


@pytest.mark.parametrize("kind", ["HEIF", "profile", "TIFF", "strip", "MM"])
def test_exif_of_what_the_browser_cannot_show_stays_here(kind: str, tab: Tab, gateway: Gateway, scene: Scene) -> None:
    exif = Image.Exif()
    exif[0x010E] = exif[0x010F] = SECRET.decode()
    exif.get_ifd(0x8825)[29] = SECRET.decode()
    photo = io.BytesIO()
    with Image.open(scene.file) as image:
        if kind == "HEIF":
            image.save(photo, "HEIF", exif=exif, xmp=b"<x>" + SECRET + b"</x>", quality=95)
        elif kind == "profile":
            profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET
            image.convert("RGBA").save(photo, "HEIF", icc_profile=profile, quality=95)
        elif kind == "strip":
            jpeg = io.BytesIO()
            image.convert("RGB").save(jpeg, "JPEG", exif=exif, comment=SECRET, quality=95)
            tags = {256: [image.width], 257: [image.height], 258: [8] * 3, 259: [7], 262: [6], 277: [3]}
            tags |= {273: [8], 278: [image.height], 279: [len(jpeg.getvalue())], 530: [2, 2]}
            photo.write(tiff_file(tags, jpeg.getvalue()))
        elif kind == "TIFF":
            other = Image.new("RGB", (8, 8))
            more = {"tiffinfo": {700: SECRET, 33723: SECRET, 270: SECRET.decode()}, "append_images": [other]}
            image.save(photo, "TIFF", save_all=True, compression="tiff_lzw", **more)
        else:
            photo.write(tiff(np.asarray(image.convert("RGB")), order=">"))
    photo.write(SECRET)
    tab.drop("photo", "image/heic", photo.getvalue())
    tab.expect_said(scene.caption)
    assert SECRET in photo.getvalue()
    assert SECRET not in gateway.posted[-1].body
    assert len(gateway.posted[-1].body) == len(photo.getvalue())


RAW = tiff_file({256: [8], 257: [8], 262: [32803], 273: [8], 279: [64], 50706: [1]}, bytes(64))


@pytest.mark.parametrize(
    ("data", "what", "why"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200), "This picture cannot be shown", "It was not sent."),
        (RAW, "This is a camera’s raw file", "not supported"),
    ],
)
def test_what_cannot_be_freed_of_exif_is_not_sent(data: bytes, what: str, why: str, tab: Tab, gateway: Gateway) -> None:
    tab.drop("photo", "image/x-unknown", data)
    expect(tab["#what"]).to_have_text(what)
    expect(tab["#why"]).to_contain_text(why)
    assert not gateway.posted


@pytest.mark.parametrize("cut", [True, False])
def test_a_photo_that_breaks_off_is_told(cut: bool, tab: Tab, scene: Scene) -> None:
    photo = io.BytesIO()
    with Image.open(scene.file) as image:
        image.convert("RGB").save(photo, "JPEG", quality=95)
    tab.drop("photo.jpg", "image/jpeg", photo.getvalue()[: -2000 if cut else None])
    if cut:
        expect(tab["#part"]).to_be_visible()
        expect(tab["#json"]).to_contain_text('"truncated": true')
    else:
        tab.expect_said(scene.caption)
        expect(tab["#part"]).to_be_hidden()


def test_a_wider_beam_is_asked_for(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    tab.read(scene.file)
    tab["#beam"].focus()
    with tab.page.expect_response(lambda reply: "beam=5" in reply.url) as reply:
        tab.page.keyboard.press("ArrowRight")
        tab.page.keyboard.press("ArrowRight")
    expect(tab["#size"]).to_have_text("5")
    expect(tab["#candidates li"]).to_have_count(len(json.loads(reply.value.text())["candidates"]))
    assert [one.path for one in gateway.posted] == [f"/?attention=1&candidates=1&beam={beam}" for beam in (3, 5)]


def test_candidates_come_with_their_probabilities(tab: Tab, scene: Scene) -> None:
    candidates = tab.read(scene.file)["candidates"]
    assert len(candidates) > 1
    shown = tab["#candidates li"].all_inner_texts()
    for text, candidate in zip(shown, candidates, strict=True):
        caption, percentage = text.split("\n")
        assert caption == candidate["caption"]
        share = float(percentage.removesuffix(" %")) / 100
        assert share == pytest.approx(exp(candidate["log_probability"]), rel=0.06)
    widths = [bar.bounding_box() for bar in tab["#candidates i"].all()]
    assert all(widths)
    shares = tab["#candidates i"].evaluate_all(
        "bars => bars.map(bar => parseFloat(bar.style.getPropertyValue('--share')))"
    )
    assert shares[0] == 100
    assert all(one >= other for one, other in pairwise(shares))


def test_what_is_copied_is_the_caption_and_a_command_that_works(
    browser: Browser, gateway: Gateway, scene: Scene
) -> None:
    with Tab.opened(browser, gateway.url, permissions=CLIPBOARD, reduced_motion="reduce") as tab:
        tab.read(scene.file)
        tab["#text"].click()
        expect(tab["#text"]).to_have_text("Copied")
        tab["#text"].click()  # again, before it says "Copy text" again
        expect(tab["#text"]).to_have_text("Copy text")
        assert tab.page.evaluate("navigator.clipboard.readText()") == scene.caption
        tab["#curl"].click()
        expect(tab["#curl"]).to_have_text("Copied")
        command = tab.page.evaluate("navigator.clipboard.readText()")
    ran = subprocess.run(
        ["bash", "-c", f"{command} --silent --noproxy '*'"], cwd=scene.file.parent, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["caption"] == scene.caption
    assert gateway.posted[-1].body == scene.file.read_bytes()


def test_another_predictors_answer_is_readable(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    answer = {
        "label": "tabby <b>cat</b>",
        "scores": [0.9, 0.1],
        "boxes": [{"at": [1, 2, 3, 4], "sure": True}],
        "x": None,
    }
    gateway.answers.append(Answer(200, json.dumps({**answer, "embedding": [0.5] * 512}).encode()))
    tab.choose(scene.file)
    expect(tab["#json"]).to_be_visible()
    expect(tab["#json"]).to_contain_text('"label": "tabby <b>cat</b>"')
    expect(tab["#json"]).to_contain_text('"at": [1, 2, 3, 4]')
    expect(tab["#json"]).to_contain_text('"embedding": [… 512 numbers]')
    for absent in ("#caption", "#play", "#text", "#others", "#width", "#trouble"):
        expect(tab[absent]).not_to_be_visible()
    expect(tab["#curl"]).to_be_visible()


def test_the_focus_goes_to_the_answer_of_a_new_picture_only(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    tab.read(scene.file)
    expect(tab["#caption"]).to_be_focused()
    expect(tab["#caption"]).to_be_in_viewport()
    tab["#beam"].focus()
    with tab.page.expect_response(lambda reply: "beam=4" in reply.url):
        tab.page.keyboard.press("ArrowRight")
    tab.expect_said(scene.caption)
    expect(tab["#beam"]).to_be_focused()
    gateway.answers.append(Answer(200, b'{"label": "cat"}'))
    tab.choose(scene.file)
    expect(tab["#json"]).to_be_focused()


def test_a_new_picture_takes_the_place_of_one_on_its_way(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    gateway.delay = 30
    tab.choose(scene.file)
    expect(tab["#saying"]).to_have_text("Looking …")
    gateway.delay = 0
    tab.paste("image.png", "image/jpeg", scene.file.read_bytes())
    tab.expect_said(scene.caption)
    expect(tab["#trouble"]).not_to_be_visible()


def test_the_page_is_one_small_answer_and_kept(tab: Tab, gateway: Gateway) -> None:
    size = tab.page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize")
    assert 5_000 < size < MOST_BYTES
    assert tab.first_paint > 0
    assert tab.requested == [tab.url]
    first, again = (tab.page.reload() for _ in range(2))
    assert first
    assert again
    assert first.headers["cache-control"] == "public, max-age=3600"
    assert gateway.asked[-1].headers["if-none-match"] == first.headers["etag"]
    assert tab.page.evaluate("performance.getEntriesByType('navigation')[0].transferSize") < 2_000
