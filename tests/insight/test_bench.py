"""Measuring: what is split how, what is chosen, and that a deployment is as before afterwards, whatever happens."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console as RichConsole

from lambdacap.aws.prices import table
from lambdacap.cli.console import Console
from lambdacap.cli.insight import _agree
from lambdacap.cli.views import bench as views_bench
from lambdacap.errors import SettingsError
from lambdacap.insight import bench, bench_plot
from lambdacap.insight.bench import Call, Plan, Sample, choose
from lambdacap.operations import deploy
from lambdacap.resources import Site
from tests.command import Command

PRICES = table("us-east-1", "x86_64")
HANDLER = """
import json, os, time
cold = True
def handler(event, context):
    global cold
    if event == {"warm": True}:
        return {}
    timing = "decode;dur=1.5, encode;dur=4.0, beam;dur=3.0, predict;dur=7.0, total;dur=9.0"
    timing, cold = ("init;dur=20.0, " if cold else "") + timing, False
    time.sleep(0.009)
    return {"statusCode": 200, "headers": {"Server-Timing": timing}, "body": json.dumps({"caption": "x"})}
"""


def sample(memory: int, total: float, *, cold: bool = False, way: str = "direct", calls: int = 5) -> Sample:
    call = Call(total, {"network": 1.0, "lambda" if way == "direct" else "gateway": 2.0, "encode": total - 3}, total)
    return Sample(memory, cold, way, (call,) * calls)


def test_a_call_is_split_by_what_the_handler_says() -> None:
    timing = "init;dur=20.0, decode;dur=1.5, encode;dur=4.0, beam;dur=3.0, predict;dur=7.0, total;dur=9.0"
    call = bench._call(100, 5, "gateway", timing)
    assert call.phases == {"network": 5, "gateway": 66, "init": 20, "decode": 1.5, "encode": 4, "beam": 3, "rest": 0.5}
    assert sum(call.phases.values()) == 100
    assert (call.billed, call.cold) == (29, True)


def test_lambdas_report_counts_for_more() -> None:
    reported = {"Init Duration": 400.0, "Billed Duration": 480.0, "Max Memory Used": 312.0}
    call = bench._call(600, 5, "lambda", "init;dur=20.0, predict;dur=70.0, total;dur=75.0", reported)
    assert call.phases == {"network": 5, "lambda": 120, "init": 400, "predict": 70, "rest": 5}
    assert (call.billed, call.used) == (480, 312)


def test_the_emulators_init_is_not_real() -> None:
    call = bench._call(600, 0, "lambda", "init;dur=200, total;dur=75", {"Init Duration": 0.1, "Billed Duration": 76})
    assert (call.phases["init"], call.phases["lambda"], call.billed) == (200, 325, 275)


def test_a_handler_that_tells_nothing() -> None:
    assert bench._call(50, 5, "gateway", "") == Call(50, {"network": 5, "gateway": 45}, 50)


@pytest.mark.parametrize(
    ("times", "best"),
    [
        # At 1,769 MB half the time costs less than at 1,024 MB; twice the memory for nothing is no choice.
        ({1024: 400, 1769: 200, 3008: 195}, 1769),
        ({512: 800, 1024: 400, 2048: 200}, 2048),  # memory pays for itself: the fastest
        ({128: 100, 3008: 99}, 128),
    ],
)
def test_the_size_to_choose(times: dict[int, float], best: int) -> None:
    assert choose([sample(memory, total) for memory, total in times.items()], PRICES) == best


def test_nothing_to_choose_between() -> None:
    alone = [sample(1024, 10), sample(1024, 900, cold=True), sample(3008, 5, way="gateway")]
    assert choose(alone, PRICES) is None


def test_what_it_costs_at_most() -> None:
    plan = Plan(bench.picture(), cold=3, seconds=10, concurrency=2)
    # 20 s of warm calls and 30 s of starts at 1 GB, 400 calls by the gateway, 600 direct
    assert plan.ceiling(1024, PRICES) == pytest.approx(50 * 0.0000166667 + 400 * 3.7e-6 + 600 * 0.2e-6)
    assert replace(plan, sizes=(1024, 2048)).ceiling(1024, PRICES) > 1.5 * plan.ceiling(1024, PRICES)


def test_nobody_agreed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match="nobody is there to agree"):
        _agree(Console(), 0.0123, yes=False)
    _agree(Console(), 0.0123, yes=True)
    assert capsys.readouterr().err.count("at most about $0.0123") == 2


def test_tables_and_plots_say_the_same() -> None:
    samples = [
        sample(3008, 150, way="gateway"),
        *(part for m, t in ((1024, 300), (1769, 170)) for part in (sample(m, t * 9, cold=True), sample(m, t))),
    ]
    best = choose(samples, PRICES)
    stream = io.StringIO()
    RichConsole(file=stream, width=80).print(views_bench.table(samples, PRICES, best))
    words = stream.getvalue()
    assert "…" not in words
    heading = words.partition("calls")[0].split()
    assert [heading.count(word) for word in ("warm", "cold", "gateway", "direct", "1769")] == [3, 2, 1, 4, 2]
    rows = {line.split()[0]: line.split()[1:] for line in words.splitlines()}
    assert rows["p50"] == ["150", "2700", "300", "1530", "170"]
    (arrow,) = (line for line in words.splitlines() if "←" in line)
    assert arrow.rstrip().endswith("←")  # of the last: warm, 1769 MB, direct
    assert arrow.count("←") == 1
    svg = bench_plot.draw("a <title> & more", samples, PRICES, best)
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "a <title> & more" in texts
    assert {"1024 MB, direct", "1769 MB, direct", "3008 MB, gateway", "170 ms, p95 170 ms"} <= set(texts)
    assert len([text for text in texts if text and text.endswith("to choose")]) == 1
    width = float(root.attrib["width"])
    assert all(
        float(e.attrib["x"]) + float(e.attrib["width"]) <= width
        for e in root.iter()
        if "x" in e.attrib and "width" in e.attrib
    )
    data = json.loads(json.dumps(views_bench.data(samples, PRICES, best)))
    assert data["choice"] == best == 1769
    assert data["samples"][0]["percentiles_ms"]["p95"] == 150


@pytest.fixture
def timed(shared: Command, image_folder: Callable[[dict[str, str]], Path]) -> Command:
    """A deployment of a handler that says what took how long."""
    folder = image_folder({"handler.py": HANDLER})
    return replace(shared, environ={**shared.environ, "LAMBDACAP_IMAGE": str(folder)})


@pytest.mark.slow
def test_the_whole_way(timed: Command) -> None:
    timed("deploy", "--local", "--auth", "key")
    before = timed("status", "--json").data
    arguments = ["--cold", 2, "--duration", "1s", "--concurrency", 2, "--memory", "512,1024", "--plot", "plot.svg"]
    result = timed("bench", *arguments, "--json")
    gateway, *direct = result.data["samples"]
    assert (gateway["way"], gateway["memory"], gateway["concurrency"], gateway["cold"]) == ("gateway", 3008, 2, False)
    assert gateway["calls"] > 3
    assert set(gateway["phases_ms"]) == {"network", "gateway", "decode", "encode", "beam", "rest"}
    assert [(s["memory"], s["cold"]) for s in direct] == [(512, True), (512, False), (1024, True), (1024, False)]
    assert [s["calls"] for s in direct if s["cold"]] == [2, 2]
    assert {s["phases_ms"]["init"] for s in direct if s["cold"]} == {20.0}
    assert not [s for s in direct if not s["cold"] and "init" in s["phases_ms"]]
    assert result.data["choice"] is None
    assert "on this machine memory buys no CPU" in result.stderr
    ElementTree.parse(timed.folder / "plot.svg")  # noqa: S314 - our own
    after = timed("status", "--json").data
    assert (after["differences"], after["version"]) == ([], before["version"])
    assert after["resources"]["function"] == before["resources"]["function"]
    timed("teardown", "--yes")


def configuration(site: Site) -> Any:  # noqa: ANN401 - Lambda's own shape
    found: Any = site.aws.lambda_.get_function_configuration(FunctionName=site.name)
    return found["MemorySize"], found["Environment"]["Variables"]


@pytest.mark.slow
def test_ctrl_c_leaves_no_trace(deployed: deploy.Deployed, site: Site, shared: Command) -> None:
    assert deployed.changed
    before = configuration(site)
    with shared.start("bench", "--cold", 20, "--duration", "1s", "--memory", "512") as process:
        for _ in range(200):
            if bench.TOUCHED in configuration(site)[1]:
                break
            time.sleep(0.1)
        assert configuration(site)[0] == 512
        assert "another command" in shared("deploy", "--local", code=1).stderr
        process.send_signal(2)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in errors) == (130, False)
    assert configuration(site) == before
    # Killed outright it cannot tidy up, but the next one does.
    memory, variables = before
    site.aws.lambda_.update_function_configuration(
        FunctionName=site.name, MemorySize=512, Environment={"Variables": {**variables, bench.TOUCHED: "x"}}
    )
    shared("bench", "--cold", 1, "--duration", "1s")
    assert configuration(site) == (memory, variables)
    assert shared("status", "--json").data["differences"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--memory", "1024,huge"], 2, "are no sizes"),
        (["--memory", "64"], 2, "are no sizes"),
        (["--memory", ""], 2, "are no sizes"),
        (["--duration", "11m"], 2, "1s to 10m"),
        (["--cold", "21"], 2, "equal to 20"),
        (["--plot", "plot.png"], 1, "End its name in .svg"),
        (["--plot", "nowhere/plot.svg"], 1, "there is no folder nowhere"),
        (["missing.jpg"], 1, "there is no file missing.jpg"),
        ([], 1, "nothing named 'lambdacap'"),
    ],
)
def test_refused_before_anything_is_asked(arguments: list[str], code: int, words: str, lambdacap: Command) -> None:
    assert words in lambdacap("bench", *arguments, code=code).stderr
