"""Function processes behave as Lambda's would: one for each event at a time, killed in time, started anew."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from lambdacap.errors import AwsError, SettingsError
from lambdacap.events import silent
from lambdacap.images import docker_context
from lambdacap.local import cloud
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.resources import Site
from lambdacap.settings import Settings

Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(deployed: deploy.Deployed) -> Ask:
    """Posts four bytes with a query to the deployed API."""
    url = deployed.deployment.url or ""

    def post(**query: object) -> requests.Response:
        parameters = {key: str(value) for key, value in query.items()}
        headers = {"Content-Type": "image/jpeg"}
        return requests.post(url, params=parameters, data=b"\xff\xd8\x00\xff", headers=headers, timeout=20)

    return post


def test_events_go_through_one_process(ask: Ask) -> None:
    one, two = ask().json(), ask().json()
    assert one["caption"] == two["caption"] == "4 bytes"
    assert one["pid"] == two["pid"]
    assert one["memory"] == 3008
    assert 50_000 < one["remaining_ms"] <= 60_000


@pytest.mark.parametrize("query", [{"exit": 3}, {"exit": 0}, {"raise": "broken"}])
def test_a_failure_is_a_502_and_the_next_event_works(query: dict[str, object], ask: Ask) -> None:
    before = ask().json()["pid"]
    assert ask(**query).status_code == 502
    after = ask().json()
    assert after["caption"] == "4 bytes"
    assert (after["pid"] == before) is ("raise" in query)


def test_a_timeout_kills_and_the_next_event_works(ask: Ask, settings: Settings) -> None:
    deploy.deploy(replace(settings, timeout=1), silent)
    before = ask().json()["pid"]
    start = time.monotonic()
    # The gateway's own words for it.
    assert ask(sleep=30).status_code in (502, 504)
    assert time.monotonic() - start < 5
    after = ask().json()
    assert after["caption"] == "4 bytes"
    assert after["pid"] != before
    assert after["remaining_ms"] <= 1000
    assert not Path(f"/proc/{before}").exists()


def test_a_change_that_nobody_published_reaches_no_caller(ask: Ask, site: Site) -> None:
    before = ask().json()
    lambda_ = site.aws.lambda_
    variables = lambda_.get_function_configuration(FunctionName=site.name)["Environment"]["Variables"]
    lambda_.update_function_configuration(
        FunctionName=site.name, MemorySize=512, Environment={"Variables": {**variables, "GREETING": "hello"}}
    )
    answer = lambda_.invoke(FunctionName=site.name, Payload=b'{"httpMethod": "GET"}')["Payload"].read()
    latest = json.loads(json.loads(answer)["body"])
    assert (latest["memory"], latest["environ"]["GREETING"]) == (512, "hello")
    after = ask().json()
    assert (after["memory"], after["pid"]) == (3008, before["pid"])
    assert "GREETING" not in after["environ"]


def at_once(ask: Ask, *queries: dict[str, Any]) -> list[requests.Response]:
    with ThreadPoolExecutor(len(queries)) as pool:
        return list(pool.map(lambda query: ask(**query), queries))


def test_events_at_a_time_have_a_process_each(ask: Ask, settings: Settings) -> None:
    first = ask().json()["pid"]
    answers = [answer.json() for answer in at_once(ask, *[{"sleep": 0.5, "print": f"line {n}"} for n in range(3)])]
    assert first in {answer["pid"] for answer in answers}
    assert len({answer["pid"] for answer in answers}) == 3
    logs = (settings.home / "local" / "functions").glob(f"{settings.name}.*.log")
    assert sorted(log.read_text("utf-8").count("line ") for log in logs) == [1, 1, 1]
    # One after the other they need one process only.
    assert len({ask().json()["pid"] for _ in range(3)}) == 1


def test_more_events_than_the_cloud_runs_at_a_time_are_answered_with_429_at_once(ask: Ask) -> None:
    ask()
    start = time.monotonic()
    answers = at_once(ask, *[{"sleep": 3}] * (cloud.CONCURRENCY + 3))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: cloud.CONCURRENCY, 429: 3}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["__type"] == "TooManyRequestsException"
    assert refused.elapsed.total_seconds() < 2.9
    assert time.monotonic() - start < 20
    assert ask().status_code == 200


def test_a_crash_loses_its_own_event_only(ask: Ask) -> None:
    ask()
    lost, *others = at_once(ask, {"sleep": 0.5, "exit": 9}, {"sleep": 1}, {"sleep": 1})
    assert (lost.status_code, [other.status_code for other in others]) == (502, [200, 200])
    assert json.loads(lost.text)["message"]


def test_a_process_that_died_at_rest_loses_no_event(ask: Ask) -> None:
    before = ask().json()["pid"]
    os.kill(before, signal.SIGKILL)
    status = Path(f"/proc/{before}/status")
    while status.exists() and "State:\tZ" not in status.read_text("ascii"):
        time.sleep(0.01)
    after = ask()
    assert after.status_code == 200
    assert after.json()["pid"] != before


@pytest.mark.usefixtures("no_engine")
def test_the_process_sees_nothing_of_ours(ask: Ask, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "very-secret")
    environ: dict[str, str] = ask().json()["environ"]
    assert "very-secret" not in json.dumps(environ)
    # As on Lambda it is signed in as its role, and nobody else.
    role = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    place = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"}
    known = {key for key in environ if key.startswith(("AWS_", "DOCKER_")) and "LAMBDA" not in key}
    assert known == role | place
    assert {key for key in environ if "KEY" in key or "SECRET" in key or "TOKEN" in key} == role
    assert environ["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert cloud.read_cloud(settings.home).secret not in environ.values()
    assert "PYTHONSAFEPATH" not in environ
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == settings.name
    assert environ["LAMBDA_TASK_ROOT"].startswith(str(settings.home / "local" / "images" / settings.name))


def test_prints_land_in_the_log_and_not_in_the_answer(ask: Ask, settings: Settings) -> None:
    answer = ask(print="a line for the log")
    assert answer.json()["caption"] == "4 bytes"
    (file,) = (settings.home / "local" / "functions").glob(f"{settings.name}.*.log")
    log = file.read_text("utf-8")
    assert "a line for the log\n" in log
    ask(**{"raise": "a reason for the log"})
    (file,) = (settings.home / "local" / "functions").glob(f"{settings.name}.*.log")
    log = file.read_text("utf-8")
    assert "ValueError: a reason for the log" in log


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("def handler(:\n", "invalid syntax"),
        ("raise SystemExit('no model here')\n", "no model here"),
        ("import os\nos._exit(9)\n", "exited with status 9"),
        ("", "has no attribute 'handler'"),
        ("def handler(event, context):\n    return {1, 2}\n", "not JSON serializable"),
    ],
)
def test_a_handler_that_does_not_start_is_told_by_deploy(
    handler: str, words: str, settings: Settings, image_folder: Callable[[dict[str, str]], Path]
) -> None:
    broken = replace(settings, image=image_folder({"handler.py": handler}))
    with pytest.raises(AwsError, match="fails when it starts") as caught:
        deploy.deploy(broken, silent)
    assert words in caught.value.message
    assert caught.value.hint
    teardown(settings, silent)


def test_another_image_is_run_from_the_next_deploy_on(
    ask: Ask, settings: Settings, image_folder: Callable[[dict[str, str]], Path]
) -> None:
    def handler(words: str) -> str:
        return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': '{words}'}}\n"

    folder = image_folder({"handler.py": handler("one")})
    other = replace(settings, image=folder)
    changes = {change.kind: change.action for change in deploy.deploy(other, silent).changes}
    assert changes == {
        "repository": "keep",
        "image": "update",
        "role": "keep",
        "log group": "keep",
        "function": "update",
        "api": "keep",
    }
    assert ask().text == "one"
    (folder / "handler.py").write_text(handler("two"), "utf-8")
    # The copy runs, not the folder, as a pushed image would.
    assert ask().text == "one"
    docker_context.content_tag.cache_clear()
    deploy.deploy(other, silent)
    assert ask().text == "two"
    copies = list((settings.home / "local" / "images" / settings.name).iterdir())
    assert len(copies) == 2


def test_the_predictor_that_the_image_names_is_the_one_that_answers(
    ask: Ask, settings: Settings, image_folder: Callable[[dict[str, str]], Path]
) -> None:
    handler = (
        "import os\ndef handler(event, context):\n    return {'statusCode': 200, 'body': os.environ['PREDICTOR']}\n"
    )
    dockerfile = "FROM base AS build\nENV PREDICTOR=first\nFROM base\nENV HOME=/tmp \\\n    PREDICTOR=mine\n"
    folder = image_folder({"handler.py": handler, "Dockerfile": dockerfile})
    deploy.deploy(replace(settings, image=folder), silent)
    assert ask().text == "mine"
    (folder / "Dockerfile").write_text("FROM base\nARG WHICH\nENV PREDICTOR=$WHICH\n", "utf-8")
    docker_context.content_tag.cache_clear()
    with pytest.raises(SettingsError, match="which only a build can tell"):
        deploy.deploy(replace(settings, image=folder), silent)
    assert ask().text == "mine"


def test_a_process_for_every_function(ask: Ask, settings: Settings) -> None:
    other = replace(settings, name=f"{settings.name}-b")
    deployed = deploy.deploy(other, silent)
    answer: Any = requests.post(deployed.deployment.url or "", data=b"", timeout=20).json()
    assert answer["pid"] != ask().json()["pid"]
    assert answer["environ"]["AWS_LAMBDA_FUNCTION_NAME"] == other.name
    teardown(other, silent)
