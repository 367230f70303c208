"""Results as tables for people and as data for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from lambdacap.pipeline import Deployed, Status
    from lambdacap.resources import Change


def plan_table(changes: list[Change]) -> Table:
    """One row a resource: what a deploy would do, property by property for an update."""
    table = Table("resource", "action", "what", box=None, pad_edge=False)
    for change in changes:
        differences = (
            [f"{key}: {_short(old)} → {_short(new)}" for key, (old, new) in change.differences.items()]
            if change.action == "update"
            else []
        )
        table.add_row(change.kind, change.action, "\n".join(differences))
    return table


def plan_data(changes: list[Change]) -> dict[str, object]:
    return {"changes": [_change(change) for change in changes]}


def deployed_data(deployed: Deployed) -> dict[str, object]:
    deployment = deployed.deployment
    return {
        "name": deployment.name,
        "target": deployment.target,
        "account": deployment.account,
        "region": deployment.region,
        "url": deployment.url,
        "changed": deployed.changed,
        **plan_data(deployed.changes),
        "resources": {kind: dict(identity) for kind, identity in deployment.resources.items()},
    }


def status_table(status: Status) -> Table:
    """One row a resource: whether it is there, as it should be, and what it is called."""
    table = Table("resource", "state", "what", box=None, pad_edge=False)
    for kind, state in status.states.items():
        change = status.changes.get(kind)
        if state is None:
            table.add_row(kind, "[red]missing[/]", "")
            continue
        identity = state.identity
        label = identity.get("url") or identity.get("uri") or identity.get("name") or identity["arn"]
        differs = change is not None and change.action != "keep"
        table.add_row(kind, "[yellow]differs[/]" if differs else "[green]ok[/]", label)
        if differs and change:
            for key, (old, new) in change.differences.items():
                table.add_row("", "", f"[dim]{key}: {_short(old)}, wanted {_short(new)}[/]")
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
        "resources": {
            kind: {"identity": dict(state.identity), **dict(state.properties)} if state else None
            for kind, state in status.states.items()
        },
        "differences": [_change(change) for change in status.changes.values() if change.action != "keep"],
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
