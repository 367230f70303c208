"""Whatever goes wrong: a sentence that says what, and what to do now."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.gateway import Gateway, error, refusal
from tests.browser.tab import Scene, Tab
from tests.servers import Answer


def expect_trouble(tab: Tab, what: str, why: str) -> None:
    expect(tab["#trouble"]).to_be_visible()
    expect(tab["#trouble [role=alert]"]).to_contain_text(what)
    expect(tab["#why"]).to_contain_text(why)
    expect(tab["#what"]).to_be_in_viewport()
    expect(tab["#caption"]).not_to_be_visible()
    expect(tab["#sent"]).not_to_be_visible()
    expect(tab["body"]).not_to_have_class("busy")


@pytest.mark.parametrize(
    ("content", "what", "why"),
    [
        (b"no picture at all", "This picture cannot be read", "This is no picture"),
        (b"\xff\xd8\xff\xe0broken", "This picture cannot be read", "broken"),
        (b"", "This file is empty", "send a picture"),
    ],
)
def test_what_is_none_or_broken_is_told_by_the_page(tab: Tab, content: bytes, what: str, why: str) -> None:
    tab.drop("photo.jpg", "image/jpeg", content)
    expect_trouble(tab, what, why)
    expect(tab["#again"]).not_to_be_visible()  # it would be the same


def test_what_is_no_picture_is_not_sent(tab: Tab, gateway: Gateway) -> None:
    tab.drop("notes.txt", "text/plain", b"milk, bread")
    expect_trouble(tab, "This is no picture", "“notes.txt” is something else")
    tab.drop("photo.jpg", "image/jpeg", b"x" * 5_000_000)
    expect_trouble(tab, "This picture cannot be read", "Save it as JPEG")
    assert gateway.posted == []


SAID = [
    (error(413, "image_too_large", "at most 50 megapixels"), "This picture is too large", "At most 50 megapixels"),
    (error(400, "invalid_parameter", "beam must be …"), "The API does not take this setting", "Beam must be …"),
    (error(400, "invalid_body", "came as text"), "The picture did not arrive whole", "Came as text"),
    (error(415, "unsupported_media_type", "x"), "This is no picture", "X"),
    (error(422, "no_cat", "there is no cat on it"), "The API refused this (no_cat)", "There is no cat on it"),
    (error(500, "internal_error", "this is a bug"), "The function failed", "This is a bug"),
    (refusal(500, "Internal server error"), "The function could not be started", "too many call it at once"),
    (refusal(502, "Internal server error"), "The function failed", "Its log says why"),
    (refusal(413, "Request Too Long"), "This picture is too large", "Send a smaller one"),
    (refusal(404, "Not Found"), "There is no such API any more", "new address"),
    (refusal(403, "Missing Authentication Token"), "This API wants signed requests", "lambdacap invoke"),
    (refusal(403, "User is not authorized"), "The API refuses to answer", "User is not authorized"),
    (refusal(429, "Limit Exceeded"), "The quota is used up", "for now"),
    (
        Answer(200, b"<html>hotel wifi</html>", "text/html"),
        "The API answered 200",
        "nothing that this page understands",
    ),
    (Answer(418, b"", "text/plain"), "The API answered 418", "nothing that this page understands"),
]


def test_every_refusal_is_explained(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    for tries, (answer, what, why) in enumerate(SAID, 1):
        gateway.answers.append(answer)
        with tab.page.expect_response(lambda reply: reply.request.method == "POST"):
            tab.choose(scene.file)
        expect_trouble(tab, what, why)
        assert len(gateway.posted) == tries  # and none was sent twice


def test_trying_again_goes_on_where_it_failed(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    gateway.answers.append(refusal(502, "Internal server error"))
    tab.choose(scene.file)
    tab["#again"].click()
    tab.expect_said(scene.caption)
    expect(tab["#trouble"]).not_to_be_visible()
    first, second = gateway.posted
    assert first.body == second.body


def test_a_tab_without_a_network_says_so(tab: Tab, scene: Scene) -> None:
    tab.page.context.set_offline(True)
    tab.choose(scene.file)
    expect_trouble(tab, "The API cannot be reached", "You are offline")
    tab.page.context.set_offline(False)
    tab["#again"].click()
    tab.expect_said(scene.caption)


def test_an_answer_that_makes_no_sense_is_no_endless_wait(tab: Tab, gateway: Gateway, scene: Scene) -> None:
    gateway.answers.append(Answer(200, b'{"caption": "a cat", "words": ["a", "cat"], "attention": [7, 7]}'))
    tab.choose(scene.file)
    expect_trouble(tab, "This page does not understand the answer", "TypeError")
    expect(tab["#saying"]).to_have_text("")
    assert len(tab.complaints) == 1  # for those who look into the console
    tab.complaints.clear()
    tab["#again"].click()
    tab.expect_said(scene.caption)
