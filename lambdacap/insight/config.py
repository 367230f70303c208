"""What every setting comes to, and whose word it is: for `lambdacap config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambdacap.aws.clients import LOCAL_REGION, ambient
from lambdacap.deployment.record import Deployment, Records, chosen, follow, plain, remembered
from lambdacap.images import docker_context
from lambdacap.model.bundle import is_bundle
from lambdacap.model.weights import DEMO, choice
from lambdacap.settings import DECLARATIONS, Settings
from lambdacap.settings.places import PREDICTOR, is_project


@dataclass(frozen=True)
class Entry:
    """One setting: its value, and where that comes from: a flag, a variable, a file, a record, or a default."""

    value: str | int | bool | None
    source: str


@dataclass(frozen=True)
class Setting:
    """`deploy` is what a deploy goes by.

    `deployed` is what the commands that work on a deployment go by instead (`status`, `invoke`, …), where their
    record says otherwise; else None.
    """

    name: str
    deploy: Entry
    deployed: Entry | None = None


def explain(settings: Settings) -> list[Setting]:
    """Every setting, as the other commands will use it. Asks nobody, starts nothing.

    Raises `SettingsError` for an unknown profile, and `DeploymentError` when the settings fit several records.
    """
    records = Records(settings.home)
    record = chosen(settings, records, "local" if settings.local else "aws")
    kept = _kept(settings, record)
    deploy = _Origins(replace(settings, **kept), _sources(records, record, *kept))
    record = chosen(settings, records)
    if record is None:
        return [Setting(name, deploy.entry(name)) for name in DECLARATIONS]
    deployed = _Origins(
        remembered(follow(settings, records), record),
        _sources(records, record, "local", "region", "profile", *record.settings),
    )
    pairs = [(name, deploy.entry(name), deployed.entry(name)) for name in DECLARATIONS]
    return [Setting(name, one, None if other.value == one.value else other) for name, one, other in pairs]


@dataclass(frozen=True)
class _Origins:
    """Settings, and where those come from that the user did not give."""

    settings: Settings
    sources: Mapping[str, str]

    def entry(self, name: str) -> Entry:
        value = getattr(self.settings, name)
        if name in self.settings.given:
            return Entry(plain(value), self.settings.given[name])
        if name in self.sources and value is not None:
            return Entry(plain(value), self.sources[name])
        if name in ("region", "profile"):
            if self.settings.local:
                return Entry(LOCAL_REGION if name == "region" else None, "the local cloud's")
            return Entry(*ambient(self.settings.profile)[name])
        if name == "image" and is_project(value):
            return Entry(plain(value), f"the current folder, since it has a {PREDICTOR}")
        if name == "weights":
            return Entry(_weights(self.settings), "default")
        if name == "base_image":
            return Entry(docker_context.default_base(self.settings.image), "default: the Dockerfile's")
        return Entry(plain(value), "default")


def _kept(settings: Settings, record: Deployment | None) -> dict[str, Any]:
    """What a deploy leaves as it is unless it is told otherwise: where, and who may call."""
    if record is None:
        return {}
    auth = record.settings.get("auth", settings.auth)
    place = {"region": record.region, "profile": record.profile}
    return place if "auth" in settings.given else {**place, "auth": auth}


def _sources(records: Records, record: Deployment | None, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, f"record {records.path(record)}") if record else {}


def _weights(settings: Settings) -> str:
    """The model that a deploy takes when it is told none."""
    chosen_weights = choice(settings)
    if chosen_weights is not None:
        return chosen_weights
    demo = is_bundle(settings.image / "demo" / "bundle") and not (settings.image / "model").is_dir()
    return DEMO if demo else "what the image folder holds"
