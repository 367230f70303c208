"""A page of another origin calls the API: what CORS allows, as a browser sees it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from lambdacap.aws.clients import connect
from lambdacap.local.cloud import read_cloud
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


# What a page can send without asking first: it need not read the answer to do harm.
_ATTACK = """async ([cloud, wanted]) => {
  const outcomes = {};
  const attempt = async (name, path, options) => {
    try {
      const reply = await fetch(cloud + path, options);
      outcomes[name] = reply.type === "opaque" ? "opaque" : `${reply.status} ${await reply.text()}`;
    } catch (error) { outcomes[name] = "refused"; }
  };
  const body = JSON.stringify(wanted);
  const type = { "Content-Type": "text/plain" };
  const functions = "/2015-03-31/functions";
  await attempt("create", functions, { method: "POST", mode: "no-cors", headers: type, body });
  await attempt("create and read", functions, { method: "POST", headers: type, body });
  await attempt("list", functions + "/");
  const key = { Authorization: "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/lambda/aws4_request" };
  await attempt("list with a key", functions + "/", { headers: key });
  await attempt("delete", functions + "/browser", { method: "DELETE" });
  await attempt("reset", "/_ministack/reset", { method: "POST", mode: "no-cors" });
  await attempt("registry", "/v2/_catalog");
  await attempt("health", "/_ministack/health");
  await new Promise(done => {
    const socket = new WebSocket(cloud.replace("http", "ws") + "/_aws/execute-api/x/prod");
    socket.onopen = () => { outcomes.socket = "open"; done(); };
    socket.onerror = () => { outcomes.socket = "refused"; done(); };
  });
  const form = document.createElement("form");
  const frame = Object.assign(document.createElement("iframe"), { name: "there" });
  Object.assign(form, { method: "POST", action: cloud + functions, enctype: "text/plain", target: "there" });
  const field = Object.assign(document.createElement("input"), { name: body.slice(0, -1) + ', "x": "', value: '"}' });
  form.append(field);
  document.body.append(frame, form);
  const sent = new Promise(done => frame.addEventListener("load", done));
  form.submit();
  await sent;
  return outcomes;
}"""


def test_a_foreign_page_does_nothing_in_the_local_cloud(browser: Browser, api: str, cloud_home: Path) -> None:
    """It would make a function of its own code, which runs as the user."""
    here = read_cloud(cloud_home)
    aws = connect(region=None, profile=None, endpoint=here.endpoint, secret=here.secret)
    before = aws.lambda_.list_functions()["Functions"]
    function = {
        "FunctionName": "evil",
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{aws.account}:role/x",
        "Code": {"ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="},
    }
    with serving(PAGE) as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        outcomes: dict[str, str] = page.evaluate(_ATTACK, [here.endpoint, function])
    # What may not be read is refused by the browser; that nothing was done is the cloud's doing.
    assert {name for name, outcome in outcomes.items() if outcome == "opaque"} == {"create", "reset"}
    assert {outcome for name, outcome in outcomes.items() if name not in ("create", "reset")} == {"refused"}
    after = aws.lambda_.list_functions()["Functions"]
    assert [one["FunctionName"] for one in after] == [one["FunctionName"] for one in before]
    assert api.startswith(here.endpoint)


def test_a_name_of_somebody_elses_for_this_machine_opens_nothing(browser: Browser, api: str) -> None:
    """DNS rebinding: the page and the cloud seem to be of one origin."""
    place = urlsplit(api)
    with browser.new_context() as context:
        page = context.new_page()
        reply = page.request.get(api, headers={"Host": f"evil.example:{place.port}"})
        assert reply.status == 403
        assert page.request.get(api).status == 200
