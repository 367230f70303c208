"""The last 24 hours: how many called, how it went, how long it took, what it cost.

On AWS by CloudWatch, in one call. The local cloud counts next to nothing; there the log tells, and exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from lambdacap.aws.clients import translated
from lambdacap.aws.prices import Prices, table
from lambdacap.insight import logs
from lambdacap.resources import Site
from lambdacap.resources.api.rest_api import STAGE

HOURS = 24
NAMESPACE = "lambdacap"
"""Of the metrics that the handler embeds in its log lines."""


@dataclass(frozen=True)
class Traffic:
    """`refused` are 4xx, `errors` 5xx. Milliseconds are from where `source` measures; None is unknown."""

    requests: int
    refused: int
    errors: int
    throttled: int | None
    cold_starts: int | None
    p50_ms: float | None
    p95_ms: float | None
    cost: float
    source: str


def traffic(site: Site, memory: int, architecture: str) -> Traffic:
    """Of a function of `memory` MB. Raises `AwsError` when CloudWatch may not be asked."""
    prices = table(site.aws.region, architecture)
    return _by_log(site, memory, prices) if site.deployment.target == "local" else _by_metrics(site, memory, prices)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` of all do not exceed, as CloudWatch's p50 and p95; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _by_metrics(site: Site, memory: int, prices: Prices) -> Traffic:
    api, function, own = {"ApiName": site.name, "Stage": STAGE}, {"FunctionName": site.name}, {"function": site.name}
    queries = {
        "requests": _query("requests", "AWS/ApiGateway", "Count", "Sum", api),
        "refused": _query("refused", "AWS/ApiGateway", "4XXError", "Sum", api),
        "errors": _query("errors", "AWS/ApiGateway", "5XXError", "Sum", api),
        # The handler's own: of predictions alone, which the page and refusals would make look fast.
        "p50": _query("p50", NAMESPACE, "Duration", "p50", own),
        "p95": _query("p95", NAMESPACE, "Duration", "p95", own),
        "invocations": _query("invocations", "AWS/Lambda", "Invocations", "Sum", function),
        "throttled": _query("throttled", "AWS/Lambda", "Throttles", "Sum", function),
        "busy": _query("busy", "AWS/Lambda", "Duration", "Sum", function),
        "cold": _query("cold", NAMESPACE, "ColdStarts", "Sum", own),
    }
    now = datetime.now(UTC)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS)
    with translated(site.aws):
        answer = site.aws.cloudwatch.get_metric_data(
            MetricDataQueries=list(queries.values()), StartTime=start, EndTime=now
        )
    hours: dict[str, dict[datetime, float]] = {name: {} for name in queries}
    for told in answer["MetricDataResults"]:
        figures = zip(told["Timestamps"], told["Values"], strict=False)
        hours[told["Id"]] = {hour: value for hour, value in figures if isfinite(value)}
    total = {name: sum(values.values()) for name, values in hours.items()}

    def usual(name: str) -> float | None:
        # Percentiles of hours cannot be joined; their mean by number of requests comes near.
        weights = {hour: hours["requests"].get(hour, 0) for hour in hours[name]}
        counted = sum(weights.values())
        return sum(hours[name][hour] * weight for hour, weight in weights.items()) / counted if counted else None

    return Traffic(
        requests=int(total["requests"]),
        refused=int(total["refused"]),
        errors=int(total["errors"]),
        throttled=int(total["throttled"]),
        # A handler of another make embeds no metrics.
        cold_starts=int(total["cold"]) if hours["cold"] or not total["invocations"] else None,
        p50_ms=usual("p50"),
        p95_ms=usual("p95"),
        cost=total["busy"] / 1000 * memory / 1024 * prices.gb_second
        + total["invocations"] * prices.invocation
        + total["requests"] * prices.request,
        source="CloudWatch",
    )


def _query(name: str, namespace: str, metric: str, statistic: str, dimensions: dict[str, str]) -> Any:  # noqa: ANN401
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named},
            "Period": 3600,
            "Stat": statistic,
        },
    }


def _by_log(site: Site, memory: int, prices: Prices) -> Traffic:
    since = datetime.now(UTC) - timedelta(hours=HOURS)
    told = [entry for entry in logs.read(site.aws, site.name, int(since.timestamp() * 1000)) if entry.request_id]
    asked = [entry for entry in told if entry.fields.get("event") != "warm"]
    statuses = [entry.fields.get("status", 502 if entry.bad else 200) for entry in asked]
    predictions = [entry for entry in asked if "predict_ms" in entry.fields]
    spent = [entry.fields.get("ms", entry.fields.get("duration_ms")) for entry in predictions]
    taken = [float(value) for value in spent if value is not None]
    billed = sum(entry.fields.get("billed_ms", 0) for entry in told)
    return Traffic(
        requests=len(asked),
        refused=sum(400 <= status < 500 for status in statuses),
        errors=sum(status >= 500 for status in statuses),
        throttled=None,
        cold_starts=sum(bool(entry.fields.get("cold")) for entry in told),
        p50_ms=percentile(taken, 50),
        p95_ms=percentile(taken, 95),
        cost=billed / 1000 * memory / 1024 * prices.gb_second
        + len(told) * prices.invocation
        + len(asked) * prices.request,
        source="the log",
    )
