"""What a dry run says of the cost, and that it writes nothing: seen on the wire."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from lambdacap.events import silent
from lambdacap.insight import cost, logs
from lambdacap.local.cloud import read_cloud, write_cloud
from lambdacap.operations import deploy
from lambdacap.operations.deploy import Survey
from lambdacap.operations.sign_in import sign_in
from lambdacap.resources.log_group import log_group_name
from lambdacap.settings import Settings
from tests.command import Command
from tests.proxy import between


@pytest.mark.parametrize(
    ("memory", "architecture", "seconds", "thousand"),
    [
        (3008, "x86_64", 0.2, 0.01349),  # the README's example
        (1769, "x86_64", 0.2, 0.00946),
        (1024, "arm64", 0.3455, 0.00831),  # less than a vCPU takes longer
    ],
)
def test_the_estimate_before_anything_is_there(memory: int, architecture: str, seconds: float, thousand: float) -> None:
    settings = Settings(memory=memory, architecture=architecture)
    estimate = cost.estimate(Survey(settings, []))
    assert estimate.seconds == pytest.approx(seconds, abs=1e-4)
    assert estimate.per_thousand == pytest.approx(thousand, abs=1e-5)
    assert estimate.duration.startswith("assumed")
    assert 0.02 < estimate.idle_month < 0.04
    # What is to be downloaded first takes room, too.
    published = cost.estimate(Survey(replace(settings, weights="/nowhere/to-come"), []))
    assert published.image_bytes - estimate.image_bytes > 200e6


@pytest.mark.usefixtures("deployed")
def test_captions_in_the_log_are_what_it_reckons_with(settings: Settings) -> None:
    site, _ = sign_in(settings, silent)
    # In the form of Lambda's and the handler's lines; MiniStack's own REPORT lines hold no real durations.
    lines = []
    for number, (method, status, billed) in enumerate(
        [("POST", 200, 400), ("POST", 200, 600), ("GET", 200, 2), ("POST", 415, 3)]
    ):
        identity = f"00000000-0000-0000-0000-00000000000{number}"
        entry = {"event": "request", "request_id": identity, "method": method, "status": status}
        report = f"REPORT RequestId: {identity}\tDuration: 1.23 ms\tBilled Duration: {billed} ms\tMemory Size: 3008 MB"
        lines += [f"START RequestId: {identity} Version: 1", json.dumps(entry), f"END RequestId: {identity}", report]
    group, stream = log_group_name(site), "2026/11/25/[1]test"
    site.aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    site.aws.logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": now, "message": line} for line in lines],
    )
    estimate = cost.estimate(deploy.survey(settings, silent))
    assert (estimate.seconds, estimate.duration) == (0.5, "the mean of 2 predictions in its log on this machine")
    # Of a busy function's log a part will do.
    since = (now, 4)
    (first,) = [entry for entry in logs.read(site.aws, site.name, *since) if entry.fields.get("method") == "POST"]
    assert first.fields["billed_ms"] == 400
    # Measured at another size of memory it would mean nothing.
    other = cost.estimate(deploy.survey(replace(settings, memory=1769), silent))
    assert other.duration.startswith("assumed")


@pytest.mark.slow
def test_a_dry_run_writes_nothing_on_the_wire(shared: Command) -> None:
    """Every resource missing, then all there and one to be changed; between command and cloud is a proxy."""
    clouds = read_cloud(shared.home)
    with between(clouds.endpoint) as proxy:
        write_cloud(shared.home, replace(clouds, endpoint=proxy.url))
        try:
            missing = shared("deploy", "--local", "--dry-run", "--json").data
            asked = proxy.calls.copy()
            shared("deploy", "--local")
            before = len(proxy.calls)
            there = shared("deploy", "--local", "--dry-run", "--memory", 512).stdout
            asked_again = proxy.calls[before:]
        finally:
            write_cloud(shared.home, clouds)
    assert {change["action"] for change in missing["changes"]} == {"create"}
    reading = ("Get", "List", "Describe", "Filter")
    assert len(asked) > 5
    assert [call for call in asked + asked_again if not call.startswith(reading)] == []
    # The proxy does see writing where there is some.
    assert len([call for call in proxy.calls if not call.startswith(reading)]) > 10
    assert "memory: 3008 → 512" in there
    assert missing["cost"]["usd_per_1000_predictions"] == pytest.approx(0.0135, abs=1e-4)
    assert "1,000 predictions  $0.0" in there
    assert "lambdacap's table of" in there
    shared("teardown", "--yes")
