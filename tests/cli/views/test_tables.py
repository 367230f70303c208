"""Tables and JSON of what there is."""

from __future__ import annotations

import io
import json

from rich.console import Console
from rich.table import Table

from lambdacap.aws.prices import table
from lambdacap.cli.views.tables import deployed_data, plan_data, plan_table, status_data, status_table
from lambdacap.deployment.record import Deployment
from lambdacap.insight.cost import Estimate
from lambdacap.operations.deploy import Deployed
from lambdacap.operations.status import Status
from lambdacap.resources import Change, State

HERE = Deployment("captions", target="aws", account="123456789012", region="eu-central-1")
CHANGES = [
    Change("role", "create", {"policy": (None, {"Version": "x"})}),
    Change("function", "update", {"memory": (128, 3008), "environment": ({"A": "[red]"}, {})}),
    Change("api", "keep", {}),
]
ESTIMATE = Estimate(
    table("eu-central-1", "x86_64"), 3008, 0.25, "the mean of 4 predictions in its log", 2**30, "2 × 537 MB"
)


def text(shown: Table, width: int = 200) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(shown)
    return stream.getvalue()


def test_a_plan_tells_what_an_update_changes() -> None:
    words = text(plan_table(CHANGES, ESTIMATE))
    assert "memory: 128 → 3008" in words
    assert "environment: {'A': '[red]'} → {}" in words
    assert "1,000 predictions  $0.0159  0.25 s at 3008 MB (the mean of 4 predictions in its log)" in words
    assert "idle month         $0.1000  the image's storage (2 × 537 MB)" in words
    assert "(us-east-1, eu-central-1's may differ)" in words
    assert "policy" not in words  # of something new, everything is new
    json.dumps(plan_data(CHANGES, ESTIMATE))


def test_a_status_tells_missing_and_differing() -> None:
    function = State({"arn": "arn:aws:lambda:x"}, {"memory": 128})
    status = Status(HERE, {"role": None, "function": function}, {"function": CHANGES[1]})
    words = text(status_table(status))
    assert "missing" in words
    assert "differs" in words
    assert "memory: 128, wanted 3008" in words
    assert "environment: {'A': '[red]'}, wanted {}" in words
    data = json.loads(json.dumps(status_data(status)))
    assert (data["complete"], data["resources"]["role"]) == (False, None)
    assert data["resources"]["function"]["memory"] == 128
    assert data["differences"][0]["differences"]["memory"] == {"old": 128, "new": 3008}


def test_a_narrow_terminal_loses_nothing() -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:" + "x" * 40
    words = text(status_table(Status(HERE, {"function": State({"arn": arn})})), width=60)
    assert words.count("x") == 40
    assert "…" not in words


def test_what_was_deployed() -> None:
    deployed = Deployed(HERE.having("api", {"id": "x", "url": "https://x/"}), CHANGES)
    data = json.loads(json.dumps(deployed_data(deployed)))
    assert (data["url"], data["changed"], data["account"]) == ("https://x/", True, "123456789012")
    assert [change["action"] for change in data["changes"]] == ["create", "update", "keep"]
