"""What becomes of log lines: as AWS writes them, and as the local cloud's functions really write them."""

from __future__ import annotations

import json
import string
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from lambdacap.aws.clients import connect
from lambdacap.cli.console import Console
from lambdacap.cli.views.logs import entry_line
from lambdacap.errors import DeploymentError
from lambdacap.events import silent
from lambdacap.insight import logs
from lambdacap.insight.logs import Entries, Entry, Line
from lambdacap.operations import deploy
from lambdacap.resources import Site
from lambdacap.settings import Settings
from tests.command import Command
from tests.drawn import JSON
from tests.servers import Answer, serving

ID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
START = f"START RequestId: {ID} Version: 3\n"
END = f"END RequestId: {ID}\n"
REPORT = (
    f"REPORT RequestId: {ID}\tDuration: 79.67 ms\tBilled Duration: 480 ms\tMemory Size: 3008 MB\t"
    "Max Memory Used: 312 MB\tInit Duration: 399.53 ms\t\n"
)
REQUEST: dict[str, object] = {"event": "request", "request_id": ID, "cold": True, "status": 200, "method": "POST"}
REQUEST |= {"ms": 78.1, "decode_ms": 2.0, "encode_ms": 40.5, "beam_ms": 35.2, "_aws": {"Timestamp": 1}}


def lines(*messages: str | dict[str, object]) -> list[Line]:
    """Events of one stream, a millisecond apart."""
    texts = [message if isinstance(message, str) else json.dumps(message) for message in messages]
    return [Line(1000 + number, "2026/11/25/[3]a", text) for number, text in enumerate(texts)]


def entries(*messages: str | dict[str, object]) -> list[Entry]:
    return Entries().feed(lines(*messages), last=True)


def test_a_request_is_one_entry() -> None:
    (entry,) = entries(
        "INIT_START Runtime Version: python:3.13.v1\tRuntime Version ARN: x\n", START, REQUEST, END, REPORT
    )
    assert (entry.request_id, entry.time, entry.bad) == (ID, 1001, False)
    assert entry.data == {
        **{key: value for key, value in REQUEST.items() if key != "_aws"},
        "time": 1.001,
        "error": False,
        "duration_ms": 79.67,
        "billed_ms": 480,
        "init_ms": 399.53,
        "memory_mb": 3008,
        "used_mb": 312,
    }
    plain = " ".join(entry_line(entry).replace("[dim]", "").replace("[/]", "").split())
    phases = "init 399.5 decode 2.0 encode 40.5 beam 35.2"
    assert plain.endswith(f"[green]200 POST 78.1 ms [yellow]cold {phases} 312 of 3008 MB 8f507cfc")


METRICS = {
    "durationMs": 79.67,
    "billedDurationMs": 480,
    "initDurationMs": 399.53,
    "memorySizeMB": 3008,
    "maxMemoryUsedMB": 312,
}


def platform(kind: str, **record: object) -> dict[str, object]:
    """A line of Lambda's own in its JSON format (Lambda's guide: advanced logging controls)."""
    return {"time": "2026-11-25T10:00:00.000Z", "type": f"platform.{kind}", "record": {"requestId": ID, **record}}


def test_lambdas_json_format_says_the_same() -> None:
    done = platform("runtimeDone", status="success", metrics={"durationMs": 79.0, "producedBytes": 10})
    report = platform("report", status="success", metrics=METRICS)
    init: dict[str, object] = {"time": "x", "type": "platform.initStart", "record": {"initializationType": "on-demand"}}
    started = "INIT_START Runtime Version: python:3.13.v1"
    assert entries(init, platform("start", version="3"), REQUEST, done, report) == entries(
        started, START, REQUEST, END, REPORT
    )


@pytest.mark.parametrize("status", ["timeout", "error", "failure"])
def test_a_request_that_died_says_so_in_json_too(status: str) -> None:
    (entry,) = entries(platform("start"), platform("report", status=status, metrics=METRICS))
    assert (entry.bad, entry.fields["outcome"], entry.fields["billed_ms"]) == (True, status, 480)


def test_lines_of_a_logger_in_json() -> None:
    told = entries(
        {"timestamp": "x", "level": "ERROR", "message": "no such model", "requestId": ID},
        {"timestamp": "x", "level": "INFO", "message": {"loaded": 3}},
    )
    assert [(entry.text, entry.bad) for entry in told] == [
        ("[ERROR] no such model", True),
        ('[INFO] {"loaded": 3}', False),
    ]


@pytest.mark.parametrize("told", [0.04, 399.53])
def test_the_longer_init_counts(told: float) -> None:
    (entry,) = entries(REPORT, REQUEST | {"init_ms": told})
    assert entry.fields["init_ms"] == 399.53
    (entry,) = entries(REQUEST | {"init_ms": 450.0}, REPORT)
    assert entry.fields["init_ms"] == 450


def test_the_order_of_arrival_does_not_matter() -> None:
    expected = entries(START, REQUEST, END, REPORT)
    together = Entries()
    assert together.feed(lines(START, END, REPORT)) == []
    late = together.feed([Line(1001, "x", json.dumps(REQUEST))])
    assert [entry.data for entry in late] == [{**expected[0].data, "time": 1.0}]
    assert together.feed([]) == []


@pytest.mark.parametrize("half", [REPORT, REQUEST])
def test_a_request_is_not_waited_for_for_ever(half: str | dict[str, object]) -> None:
    waiting = Entries()
    told = [waiting.feed(lines(half))] + [waiting.feed([]) for _ in range(logs.PATIENCE + 2)]
    assert [len(look) for look in told if look] == [1]
    assert len(told[0]) == 0


def test_a_request_under_way_is_not_told() -> None:
    assert entries(START) == []


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([REQUEST | {"status": 400, "code": "unsupported_image"}, REPORT], "unsupported_image"),
        ([REQUEST | {"status": 500, "code": "internal_error"}], "internal_error"),
        ([f"2026-11-25T10:00:00.1Z {ID} Task timed out after 3.00 seconds\n\n", REPORT], "Task timed out after 3.00"),
        ([f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n", REPORT], "killed"),
        ([REPORT.rstrip("\n") + "Status: timeout\n"], "timeout"),
        (["[ERROR] ValueError: no\rTraceback (most recent call last):\r  File x"], "ValueError"),
        (["INIT_REPORT Init Duration: 9999.12 ms\tPhase: init\tStatus: timeout\n"], "timeout"),
    ],
)
def test_what_failed(messages: list[str | dict[str, object]], words: str) -> None:
    (entry,) = entries(START, *messages)
    assert entry.bad
    assert words in entry_line(entry)
    assert entry.data["error"] is True


def test_a_stack_trace_line_by_line_is_bad_to_its_end() -> None:
    trace = ["Traceback (most recent call last):", '  File "x.py", line 1', "    raise ValueError", "ValueError: no"]
    told = entries("before", *trace, "after")
    assert [entry.text for entry in told] == ["before", *trace, "after"]
    assert [entry.bad for entry in told] == [False, True, True, True, True, False]


@pytest.mark.parametrize("text", ["plain", "{not json", '["json"]', '{"event": "mine"}', "[red]no markup[/]"])
def test_unknown_lines_are_shown_as_they_are(text: str) -> None:
    (entry,) = entries(text)
    assert (entry.text, entry.bad) == (text, False)
    assert entry_line(entry).endswith(text.replace("[red]", "\\[red]").replace("[/]", "\\[/]"))


def test_a_terminal_does_not_obey_what_was_logged(capsys: pytest.CaptureFixture[str]) -> None:
    (entry,) = entries("a\x1b]0;owned\x07b\x9bc\r\nd")
    Console().line(entry_line(entry), entry.data, markup=True)
    assert capsys.readouterr().out.endswith("a\\x1b]0;owned\\x07b\\x9bc\nd\n")


@pytest.mark.parametrize(
    "text",
    [
        '{"event": "request", "request_id": "x", "ms": "long"}',
        '{"event": "request", "request_id": {"a": 1}, "ms": 1}',
        '{"event": "request", "request_id": "x", "decode_ms": [1]}',
        '{"event": "init", "load_ms": null}',
        '{"event": "init", "init_ms": NaN}',
        '{"event": ["request"], "used_mb": {}}',
        '{"event": "warm", "request_id": "x", "ms": true}',
        "{" + '"a":{' * 5000,
    ],
)
def test_prints_that_look_like_the_handlers_lines(text: str) -> None:
    (entry,) = entries(text)
    assert entry.text == text
    assert entry_line(entry)


KEYS = (
    *("event", "request_id", "ms", "init_ms", "decode_ms", "status", "cold", "method", "used_mb", "memory_mb"),
    *("code", "model", "_aws", "outcome", "death", "duration_ms"),
)
PRINTED = st.text(string.printable, max_size=9)
REPORTED = "REPORT RequestId: {}\tDuration: {} ms\tMemory Size: {} MB\tInit Duration: {} ms\tStatus: {}"
WRITTEN = st.one_of(
    st.text(),
    st.from_regex(logs._FRAME),
    st.from_regex(logs._DEATH),
    st.builds(REPORTED.format, PRINTED, PRINTED, PRINTED, PRINTED, PRINTED),
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(("request", "warm", "init")) | JSON).map(json.dumps),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**70), 2**70), WRITTEN), max_size=5))
def test_whatever_is_logged_is_told(lines: list[tuple[int, str]]) -> None:
    for entry in Entries().feed([Line(at, "stream", text) for at, text in lines], last=True):
        Text.from_markup(entry_line(entry))
        json.dumps(entry.data)


def test_the_emulators_own_lines_are_no_news() -> None:
    rapid = "25 Nov 2026 03:32:56,384 {} (rapid) INIT START(type: on-demand, phase: init)"
    told = entries(rapid.format("[INFO]"), rapid.format("[ERROR]"))
    assert [entry.text for entry in told] == [rapid.format("[ERROR]")]


def test_the_start_of_an_instance() -> None:
    (entry,) = entries({"event": "init", "model": "demo", "import_ms": 116.6, "setup_ms": 21.0})
    assert "started demo import 116.6 setup 21.0" in " ".join(entry_line(entry).replace("[dim]", "").split())


def page(token: str = "", *events: tuple[str, int, str]) -> Answer:
    content: dict[str, Any] = {
        "events": [{"eventId": i, "timestamp": t, "message": m, "logStreamName": "s"} for i, t, m in events]
    }
    return Answer(body=json.dumps(content | ({"nextToken": token} if token else {})).encode())


IDENTITY = Answer(
    body=b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account><Arn>x</Arn>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>",
    media_type="text/xml",
)


def test_all_pages_are_read_and_nothing_is_told_twice() -> None:
    """CloudWatch answers with empty pages too, shows lines late, and the same ones again."""
    answers = [
        *(page("more"), page("last", ("1", 100_000, "one")), page("", ("2", 100_000, "one"))),  # alike, but two
        page("", ("2", 100_000, "one"), ("3", 100_005, "three")),
        page("", ("late", 99_000, "late"), ("3", 100_005, "three"), ("5", 160_000, "five")),
        page("", ("5", 160_000, "five")),
    ]
    with serving(IDENTITY, *answers) as server:
        aws = connect(region=None, profile=None, endpoint=server.url.rstrip("/"))
        looks = logs.follow(aws, "captions", 90_000, sleep=lambda _: None)
        told = [[entry.text for entry in next(looks)] for _ in range(4)]
    assert told == [["one", "one"], ["three"], ["late", "five"], []]
    asked = [json.loads(request.body) for request in server.asked[1:]]
    assert [question.get("nextToken") for question in asked[:3]] == [None, "more", "last"]
    assert [question["startTime"] for question in asked] == [90_000] * 5 + [160_000 - logs.OVERLAP]
    assert asked[0]["logGroupName"] == "/aws/lambda/captions"


def test_no_log_group(site: Site) -> None:
    with pytest.raises(DeploymentError, match="there is no log group /aws/lambda/nobody"):
        logs.read(site.aws, "nobody", 0)


@pytest.fixture
def url(deployed: deploy.Deployed) -> str:
    return deployed.deployment.url or ""


def ask(url: str, **query: str | int) -> int:
    headers = {"Content-Type": "image/jpeg"}
    return requests.post(url, params=query, data=b"\xff\xd8", headers=headers, timeout=20).status_code


def until(shared: Command, words: str, *arguments: str) -> str:
    """The log once it holds `words`: lines arrive a moment after the answer."""
    for _ in range(50):
        shown = shared("logs", *arguments).stdout
        if words in shown:
            return shown
        time.sleep(0.1)
    raise AssertionError(shown)


def test_the_local_clouds_log(url: str, shared: Command, settings: Settings) -> None:
    assert ask(url, print="something to see") == 200
    until(shared, "something to see")
    assert ask(url, **{"raise": "broken"}) == 502
    assert ask(url, exit=3) == 502
    shown = until(shared, "Runtime exited with status 3")
    assert "something to see" in shown
    failed = shared("logs", "--errors").stdout
    assert "something to see" not in failed
    assert "ValueError: broken" in failed
    assert failed.count("died") == 1
    data = [json.loads(line) for line in shared("logs", "--since", "10m", "--json").stdout.splitlines()]
    assert [entry for entry in data if entry.get("text") == "something to see"]
    (died,) = [entry for entry in data if "death" in entry]
    assert (died["error"], died["memory_mb"]) == (True, 3008)
    # A process that a new configuration starts has its lines there, too.
    deploy.deploy(replace(settings, timeout=1), silent)
    assert ask(url, sleep=5) >= 500
    assert "Task timed out after 1.00 seconds" in until(shared, "Task timed out", "--errors")


def test_following(url: str, shared: Command) -> None:
    ask(url, print="first")
    until(shared, "first")
    with shared.start("logs", "--follow") as process:
        assert process.stdout
        seen = _until(iter(process.stdout), "first")
        ask(url, print="second")
        seen += _until(iter(process.stdout), "second")
        process.send_signal(2)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    words = "".join(seen) + rest
    assert (words.count("first"), words.count("second")) == (1, 1)


def _until(shown: Iterator[str], words: str) -> list[str]:
    seen = []
    for line in shown:
        seen.append(line)
        if words in line:
            break
    return seen


@pytest.mark.parametrize("since", ["5", "5x", "-1m", "m", "1.5h"])
def test_no_duration(since: str, lambdacap: Command) -> None:
    assert "is no duration" in lambdacap("logs", f"--since={since}", code=2).stderr


def test_no_deployment(lambdacap: Command) -> None:
    assert "nothing named 'lambdacap'" in lambdacap("logs", code=1).stderr
