"""Results as tables for people and as data for `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table

if TYPE_CHECKING:
    from lambdacap.deployment.record import Deployment
    from lambdacap.images.docker_layers import Layer
    from lambdacap.insight.config import Setting
    from lambdacap.insight.cost import Estimate
    from lambdacap.model.bundle import Bundle
    from lambdacap.operations.deploy import Deployed
    from lambdacap.operations.status import Status
    from lambdacap.operations.teardown import Standing
    from lambdacap.resources import Change

_RUNS_AS = {
    "lambda": "AWS Lambda",
    "container": "a container of the image, on this machine",
    "process": "a process on this machine, without Docker",
}


def plan_table(changes: list[Change], estimate: Estimate) -> Table:
    """One row a resource: what a deploy would do, property by property for an update. Below, what it will cost."""
    table = Table("resource", "action", Column("what", overflow="fold"), box=None, pad_edge=False)
    for change in changes:
        differences = (
            [f"{key}: {_short(old)} → {_short(new)}" for key, (old, new) in change.differences.items()]
            if change.action == "update"
            else []
        )
        table.add_row(change.kind, change.action, escape("\n".join(differences)))
    table.add_row()
    table.add_row(
        "1,000 predictions",
        f"${estimate.per_thousand:.4f}",
        f"{estimate.seconds:.2f} s at {estimate.memory} MB ({escape(estimate.duration)})",
    )
    table.add_row("idle month", f"${estimate.idle_month:.4f}", f"the image's storage ({escape(estimate.image)})")
    table.add_row("prices", "", f"{escape(estimate.prices.source)}, without free tier, logs and traffic")
    return table


def plan_data(changes: list[Change], estimate: Estimate) -> dict[str, object]:
    return {
        "changes": [_change(change) for change in changes],
        "cost": {
            "usd_per_1000_predictions": estimate.per_thousand,
            "usd_per_idle_month": estimate.idle_month,
            **asdict(estimate),
        },
    }


def deployed_data(deployed: Deployed) -> dict[str, object]:
    deployment = deployed.deployment
    return {
        "name": deployment.name,
        "target": deployment.target,
        "account": deployment.account,
        "region": deployment.region,
        "url": deployment.url,
        "changed": deployed.changed,
        "changes": [_change(change) for change in deployed.changes],
        "resources": {kind: dict(identity) for kind, identity in deployment.resources.items()},
    }


def deployments_table(deployments: list[Deployment]) -> Table:
    """One row a deployment: its name, where it is, and its URL."""
    table = Table("name", "where", Column("url", overflow="fold"), box=None, pad_edge=False)
    for deployment in deployments:
        local = deployment.target == "local"
        where = "this machine" if local else f"{deployment.region}, account {deployment.account}"
        table.add_row(deployment.name, where, escape(deployment.url or "unfinished"))
    return table


def deployments_data(deployments: list[Deployment]) -> list[dict[str, object]]:
    return [
        {"name": d.name, "target": d.target, "account": d.account, "region": d.region, "url": d.url}
        for d in deployments
    ]


def layers_table(name: str, layers: list[Layer]) -> Table:
    """What takes the room in the image `name`: on disk, and (about) on the way to the registry."""
    table = Table(
        "layer", Column("size", justify="right"), Column("compressed", justify="right"), box=None, pad_edge=False
    )
    rows = [(layer.name, [layer]) for layer in layers]
    for title, part in [*rows, ("over the base", layers[1:]), (name, layers)]:
        size, compressed = sum(layer.size for layer in part), sum(layer.compressed for layer in part)
        if title == "over the base":
            table.add_section()
        table.add_row(escape(title), f"{size / 1e6:.2f} MB", f"~ {compressed / 1e6:.2f} MB")
    return table


def layers_data(layers: list[Layer]) -> dict[str, object]:
    return {
        "size": sum(layer.size for layer in layers),
        "compressed": sum(layer.compressed for layer in layers),
        "layers": [asdict(layer) for layer in layers],
    }


def bundle_table(bundle: Bundle) -> Table:
    """What a bundle is, line by line."""
    from lambdacap.model.bundle import parity_sentence, summary

    manifest = bundle.manifest
    rows = {
        **summary(manifest),
        "files": f"{bundle.size / 1e6:.1f} MB",
        **{f"  {name}": f"{size / 1e6:.1f} MB" for name, size in bundle.files.items() if size > 1e5},
        "parity": parity_sentence(manifest) or "no report",
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, words in rows.items():
        table.add_row(escape(name), escape(words))
    return table


def status_table(status: Status, details: Mapping[str, str] = MappingProxyType({})) -> Table:
    """One row a resource: whether it is there, as it should be, what it is called, and `details` of its kind."""
    table = Table("resource", "state", Column("what", overflow="fold"), box=None, pad_edge=False)
    for kind, state in status.states.items():
        change = status.changes.get(kind)
        if state is None:
            table.add_row(kind, "[red]missing[/]", "")
            continue
        differs = change is not None and change.action != "keep"
        table.add_row(kind, "[yellow]differs[/]" if differs else "[green]ok[/]", escape(state.label))
        if kind in details:
            table.add_row("", "", escape(details[kind]))
        if differs and change:
            for key, (old, new) in change.differences.items():
                table.add_row("", "", f"[dim]{escape(f'{key}: {_short(old)}, wanted {_short(new)}')}[/]")
    if status.release:
        previous = status.release.previous
        table.add_row("live", "", f"version {status.release.version}" + (f", before it {previous}" if previous else ""))
    if status.runs_as:
        table.add_row("runs as", "", _RUNS_AS[status.runs_as])
    if "last day" in details:
        table.add_row("last day", "", escape(details["last day"]))
    return table


def status_data(status: Status) -> dict[str, object]:
    deployment = status.deployment
    return {
        "name": deployment.name,
        "target": deployment.target,
        "account": deployment.account,
        "region": deployment.region,
        "url": deployment.url,
        "complete": status.complete,
        "runs_as": status.runs_as,
        "version": status.release.version if status.release else None,
        "previous": status.release.previous if status.release else None,
        "resources": {
            kind: {"identity": dict(state.identity), **dict(state.properties)} if state else None
            for kind, state in status.states.items()
        },
        "differences": [_change(change) for change in status.changes.values() if change.action != "keep"],
    }


def config_table(settings: list[Setting]) -> Table:
    """One row a setting; a second one where the commands that work on a deployment go by its record."""
    table = Table(
        "setting", Column("value", overflow="fold"), Column("from", overflow="fold"), box=None, pad_edge=False
    )
    for setting in settings:
        for name, entry in ((setting.name, setting.deploy), ("  as deployed", setting.deployed)):
            if entry is not None:
                table.add_row(name, escape(_word(entry.value)), f"[dim]{escape(entry.source)}[/]")
    return table


def config_data(settings: list[Setting]) -> dict[str, object]:
    return {
        setting.name: {
            **asdict(setting.deploy),
            **({"deployed": asdict(setting.deployed)} if setting.deployed else {}),
        }
        for setting in settings
    }


def _word(value: object) -> str:
    """A setting's value as it is written in `lambdacap.toml`, without quotes."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def standing_table(standing: Standing) -> Table:
    """What a teardown would remove, in its order; what could not be looked at says why."""
    table = Table("resource", "action", Column("what", overflow="fold"), box=None, pad_edge=False)
    for kind, label in standing.labels.items():
        table.add_row(kind, "remove", escape(label))
    for kind, error in standing.failures.items():
        table.add_row(kind, "[red]unknown[/]", escape(error.message))
    return table


def standing_data(standing: Standing) -> dict[str, object]:
    deployment = standing.deployment
    return {
        "name": deployment.name,
        "region": deployment.region,
        "target": deployment.target,
        "resources": standing.labels,
    }


def _change(change: Change) -> dict[str, object]:
    return {
        "resource": change.kind,
        "action": change.action,
        "differences": {key: {"old": old, "new": new} for key, (old, new) in change.differences.items()},
    }


def _short(value: object) -> str:
    words = str(value)
    return words if len(words) <= 80 else words[:77] + "..."
