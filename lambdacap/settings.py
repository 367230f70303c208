"""What a user can set, and where it comes from: flag > environment > file > default."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lambdacap.errors import SettingsError
from lambdacap.settings_file import FILE, entries

ARCHITECTURES = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""Lambda's name of an architecture → Docker's name of the platform."""
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557)
"""What CloudWatch Logs accepts (API reference of PutRetentionPolicy), as far as anybody needs it."""
AUTH = ("none", "key", "iam")
"""Who may call: anybody, who sends the API key, or who signs with AWS credentials that may."""

# Fits every service at once: ECR wants lower case, IAM 64 characters for `<name>-<region>`.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_BOUNDARY = re.compile(r"arn:[a-z-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]{1,640}")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True)
class Settings:
    """All settings of one run, checked.

    `local` is the target: the local cloud instead of AWS. `docker` False keeps the local cloud from using a Docker
    engine even when there is one. `image` is the folder with the Dockerfile, `base_image` what it builds on instead
    of its own default. `memory` is in MB, `timeout` in seconds, `log_retention` in days. `weights` says which
    model: published, demo, a path or an address. `auth` is who may call, `quota` how many requests an API key is
    good for a day. `rate` (requests a second) and `burst` bound all callers together, `reserved_concurrency` the
    executions at a time. `origin` is whose pages may call the API. `alarm_email` is who is told of more
    than `alarm_calls` calls an hour, and of a month that has cost more than `budget` US dollars. `boundary` is the ARN
    of the managed policy that bounds what the function's role may; None: the role keeps what it has. `home` is where
    records and the local cloud live.
    `given` says of what the user set himself where he did: "--memory", "LAMBDACAP_MEMORY" or the file's path.
    """

    name: str = "lambdacap"
    region: str | None = None
    profile: str | None = None
    local: bool = False
    docker: bool = True
    image: Path = field(default_factory=lambda: default_image())
    base_image: str | None = None
    architecture: str = "x86_64"
    memory: int = 3008
    timeout: int = 60
    log_retention: int = 14
    weights: str | None = None
    auth: str = "none"
    quota: int | None = None
    rate: int = 20
    burst: int = 40
    reserved_concurrency: int | None = None
    origin: str = "*"
    alarm_email: str | None = None
    alarm_calls: int = 1000
    budget: int | None = None
    boundary: str | None = None
    home: Path = field(default_factory=lambda: default_home())
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def bundle(self) -> Path | None:
        """The bundle's folder once `model.weights.settle` has seen to it; None: what the image folder holds."""
        return Path(self.weights) if self.weights and Path(self.weights).is_absolute() else None

    @property
    def cache(self) -> Path:
        """What can be downloaded or made again: in `home` when that was set, else by the platform's convention."""
        return self.home / "cache" if "home" in self.given else default_cache()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SettingsError(
                f"name {self.name!r} cannot name a deployment{self._whose('name')}",
                hint="Use 2 to 40 lower-case letters, digits and hyphens, beginning with a letter.",
            )
        if self.region is not None and not _REGION.fullmatch(self.region):
            raise SettingsError(
                f"{self.region!r} is no AWS region{self._whose('region')}", hint="One looks like eu-central-1."
            )
        if self.architecture not in ARCHITECTURES:
            raise SettingsError(
                f"architecture {self.architecture!r} is unknown{self._whose('architecture')}",
                hint=f"Lambda has {' and '.join(ARCHITECTURES)}.",
            )
        self._check_range("memory", 128, 10_240, "MB")
        self._check_range("timeout", 1, 900, "seconds")
        if self.auth not in AUTH:
            raise SettingsError(
                f"auth {self.auth!r} is unknown{self._whose('auth')}", hint=f"Choose one of {', '.join(AUTH)}."
            )
        if self.origin != "*" and not _ORIGIN.fullmatch(self.origin):
            raise SettingsError(
                f"origin {self.origin!r} is none{self._whose('origin')}",
                hint="One looks like https://example.com, without a path; * is any.",
            )
        self._check_range("rate", 1, 10_000, "requests a second", "API Gateway")
        self._check_range("burst", 1, 5_000, "requests", "API Gateway")
        if self.reserved_concurrency is not None:
            self._check_range("reserved_concurrency", 1, 1_000_000, "executions")
        if self.quota is not None and self.quota < 1:
            raise SettingsError(
                f"quota = {self.quota} lets nobody in{self._whose('quota')}", hint="It counts requests a day, from 1."
            )
        if self.alarm_email is not None and not _EMAIL.fullmatch(self.alarm_email):
            raise SettingsError(
                f"alarm_email {self.alarm_email!r} is no e-mail address{self._whose('alarm_email')}",
                hint="One looks like anna@example.com.",
            )
        self._check_range("alarm_calls", 1, 1_000_000_000, "calls an hour", "CloudWatch")
        if self.budget is not None:
            self._check_range("budget", 1, 1_000_000_000, "US dollars a month", "AWS Budgets")
            if self.alarm_email is None:
                raise SettingsError(
                    f"budget = {self.budget}, but nobody would be told{self._whose('budget')}",
                    hint="Add --alarm-email, or leave --budget out.",
                )
        if self.boundary is not None and not _BOUNDARY.fullmatch(self.boundary):
            raise SettingsError(
                f"boundary {self.boundary!r} is no managed policy's ARN{self._whose('boundary')}",
                hint="One looks like arn:aws:iam::123456789012:policy/developers.",
            )
        if self.log_retention not in RETENTION_DAYS:
            raise SettingsError(
                f"log_retention = {self.log_retention} days is not offered by CloudWatch Logs"
                + self._whose("log_retention"),
                hint=f"Choose one of {', '.join(map(str, RETENTION_DAYS))}.",
            )

    def _check_range(self, name: str, low: int, high: int, unit: str, service: str = "Lambda") -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise SettingsError(
                f"{name} = {value} is out of range{self._whose(name)}", hint=f"{service} takes {low} to {high} {unit}."
            )

    def _whose(self, name: str) -> str:
        """Whose word a bad value is: in an error, its reader looks there."""
        return f" ({self.given[name]})" if name in self.given else ""


def load(flags: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Settings:
    """Settings from `flags` (None: not given), `LAMBDACAP_*` in `environ`, and `lambdacap.toml` in `folder`.

    Raises `SettingsError` that names the source of a value that cannot be used.
    """
    values: dict[str, Any] = {}
    given: dict[str, str] = {}
    file = folder / FILE
    for key, value in entries(file).items():
        if key == "home":
            # Records say where photos and keys go. A folder that somebody was sent is not to bring its own.
            raise SettingsError(
                f"{file} sets 'home', which no file can set: it says whose records to believe",
                hint="Take it out there; LAMBDACAP_HOME in your environment names another folder.",
            )
        if key not in NAMES:
            raise SettingsError(f"{file} sets {key[:80]!r}, which is unknown", hint=_meant(key[:80]))
        values[key], given[key] = _convert(_kind(key), value, f"{key} in {file}"), str(file)
        if _kind(key) is Path:
            values[key] = folder / values[key]
    for key in NAMES:
        variable = _variable(key)
        if environ.get(variable):
            values[key], given[key] = _convert(_kind(key), environ[variable], variable), variable
    for key, value in flags.items():
        if value is not None:
            values[key], given[key] = value, flag(key)
    return Settings(**values, given=given)


def from_file(settings: Settings) -> str:
    """What `lambdacap.toml` says of where, what and for whom, in one line; empty when it says nothing of that."""
    said = {key: getattr(settings, key) for key in _TRUSTED if settings.given.get(key, "").endswith(FILE)}
    if not said:
        return ""
    file = settings.given[next(iter(said))]
    return f"{file} says: " + ", ".join(f"{key} = {value}" for key, value in said.items())


def flag(name: str) -> str:
    """The option of the command line that sets `name`."""
    return "--" + {"architecture": "arch"}.get(name, name).replace("_", "-")


def strangers(environ: Mapping[str, str]) -> list[str]:
    """A sentence for every variable that looks like one of ours and is none."""
    known = {_variable(name) for name in NAMES}
    return [
        f"{variable} is set, which lambdacap does not know. " + _meant(variable.removeprefix(_PREFIX), _variable)
        for variable in sorted(environ)
        if variable.startswith(_PREFIX) and variable not in known and not _TESTS.match(variable)
    ]


def default_image() -> Path:
    """The folder that goes to Lambda: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "image"
    return installed if installed.is_dir() else package.parent / "image"


def default_home() -> Path:
    """Where records and the local cloud live, by the platform's convention."""
    from platformdirs import user_state_path

    return user_state_path("lambdacap")


def default_cache() -> Path:
    """Where weights and bundles are kept, by the platform's convention."""
    from platformdirs import user_cache_path

    return user_cache_path("lambdacap")


_TRUSTED = (
    *("name", "region", "profile", "local", "image", "base_image", "weights"),
    *("auth", "origin", "alarm_email"),
)
"""Settings that decide on whose account, with what and for whom: a folder's file is not always its reader's own."""
_PREFIX = "LAMBDACAP_"
_TESTS = re.compile(r"LAMBDACAP_(CI_|ENGINE$|REQUIRE_DOCKER$)")
"""The test suite's switches: who develops lambdacap has them set."""
NAMES = tuple(f.name for f in fields(Settings) if f.name != "given")
_KINDS: dict[str, type] = {
    "local": bool,
    "docker": bool,
    "memory": int,
    "timeout": int,
    "log_retention": int,
    "quota": int,
    "rate": int,
    "burst": int,
    "reserved_concurrency": int,
    "alarm_calls": int,
    "budget": int,
    "image": Path,
    "home": Path,
}
_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _kind(name: str) -> type:
    return _KINDS.get(name, str)


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _meant(word: str, spelled: Callable[[str], str] = str) -> str:
    """What a misspelt setting was probably meant to be."""
    word = word.lower().replace("-", "_")
    near = [name for name in NAMES if word and name.startswith(word)] or difflib.get_close_matches(word, NAMES, n=1)
    if near:
        return f"Did you mean {spelled(near[0])}?"
    return f"Known: {', '.join(spelled(name) for name in NAMES)}."


def _toml(value: object) -> str:
    """The value as a user wrote it, or nearly."""
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _convert(kind: type, value: object, where: str) -> object:
    if kind is bool and isinstance(value, str):
        value = _WORDS.get(value.lower(), value)
    elif kind is int and isinstance(value, str) and re.fullmatch(r"\d+", value):
        value = int(value)
    elif kind is Path and isinstance(value, str):
        value = _path(value, where)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {bool: "true or false", int: "a whole number", Path: "a path", str: "text"}
        raise SettingsError(
            f"{where} is {_toml(value)[:80]}, not {words[kind]}",
            hint="Correct it there; `lambdacap config` shows all settings.",
        )
    return value


def _path(value: str, where: str) -> Path:
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:  # ~somebody, who is not there
        raise SettingsError(f"{where} is {value[:80]!r}: {error}", hint="Write the path out.") from error
    if "\0" in value:
        raise SettingsError(f"{where} is {value[:80]!r}, not a path", hint="Correct it there.")
    return path
