"""A measurement as tables and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lambdacap.insight.bench import PHASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambdacap.aws.prices import Prices
    from lambdacap.insight.bench import Sample

SHARES = (50, 90, 95, 99)


def name(sample: Sample) -> str:
    """`cold, 3008 MB`, `warm by the gateway, 4 at a time, 3008 MB`."""
    size = f"{sample.memory} MB"
    if sample.way == "gateway":
        return f"warm, {size}, by the gateway" + (f", {sample.concurrency} at a time" if sample.concurrency > 1 else "")
    return f"{'cold' if sample.cold else 'warm'}, {size}, direct"


def table(samples: Sequence[Sample], prices: Prices, best: int | None) -> Table:
    """One column a sample, one row a figure: calls, percentiles, the medians of the phases, dollars for 1,000.

    So it stays within 80 columns. An arrow stands at `best` MB.
    """
    shown = Table("milliseconds", box=None, pad_edge=False)
    for sample in samples:
        chosen = sample.memory == best and not sample.cold and sample.way == "direct"
        heading = name(sample).replace(", ", "\n").replace("by the ", "") + ("\n←" if chosen else "")
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_row("calls", *(str(len(sample.calls)) for sample in samples))
    for share in SHARES:
        shown.add_row(f"p{share}", *(_milliseconds(sample.at(share)) for sample in samples))
    took = [sample.phases for sample in samples]
    for phase in PHASES:
        if any(phase in phases for phases in took):
            shown.add_row(phase, *(_milliseconds(phases[phase]) if phase in phases else "" for phases in took))
    shown.add_row("$ / 1000", *(f"{sample.cost(prices):.4f}" for sample in samples))
    return shown


def data(samples: Sequence[Sample], prices: Prices, best: int | None) -> dict[str, object]:
    """For machines."""
    return {
        "prices": prices.source,
        "choice": best,
        "samples": [
            {
                "memory": sample.memory,
                "cold": sample.cold,
                "way": sample.way,
                "concurrency": sample.concurrency,
                "calls": len(sample.calls),
                "failures": dict(sample.failures),
                "seconds": round(sample.seconds, 3),
                "percentiles_ms": {f"p{share}": round(sample.at(share), 2) for share in SHARES},
                "phases_ms": {phase: round(took, 2) for phase, took in sample.phases.items()},
                "billed_ms": round(sample.billed, 2),
                "used_mb": max(call.used for call in sample.calls),
                "usd_per_1000": sample.cost(prices),
                "totals_ms": [round(call.total, 2) for call in sample.calls],
            }
            for sample in samples
        ],
    }


def notes(samples: Sequence[Sample], best: int | None, *, local: bool) -> list[str]:
    """What a person should know of the figures."""
    told = [
        f"{sample.failures[status]} calls {'were cold starts' if status == 'cold' else f'answered {status}'}, "
        f"not counted: {name(sample)}"
        for sample in samples
        for status in sample.failures
    ]
    if any("429" in map(str, sample.failures) for sample in samples):
        told.append("429 is what the gateway says beyond --rate and --burst, and Lambda beyond its concurrency")
    if best:
        told.append(f"--memory {best}: the fastest of those that cost at most a fifth more than the cheapest")
    if local:
        compared = "on this machine memory buys no CPU, so no size is chosen; " if len(samples) > 2 else ""
        told.append(f"{compared}dollars are what AWS would take for these times")
    return told


def _milliseconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
