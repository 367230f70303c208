"""The record of a deployment: what was made, where. A cache: names and tags on AWS are the truth."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lambdacap import __version__
from lambdacap.deployment.lock import HeldError, held, is_held
from lambdacap.errors import DeploymentError
from lambdacap.settings import DECLARATIONS, KINDS, Settings, may_be_none
from lambdacap.storage import reading, writing

FORMAT = 1
REMEMBERED = tuple(name for name, declared in DECLARATIONS.items() if declared.kept)
"""The settings that commands working on a deployment take from its record, unless the user says otherwise."""


@dataclass(frozen=True)
class Deployment:
    """One named installation in one account and region.

    `target` is "aws" or "local", `profile` the AWS profile it was made with, `endpoint` the local cloud's
    address. `settings` are those of the last run that made or mended something. `resources` holds what
    identifies each finished resource, by its kind: `{"function": {"arn": …}, "api": {"id": …, "url": …}, …}`.
    It holds no secret.
    """

    name: str
    target: str
    account: str
    region: str
    profile: str | None = None
    endpoint: str | None = None
    settings: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def url(self) -> str | None:
        """Where the API answers, or None before it exists."""
        return self.resources.get("api", {}).get("url")

    def made_with(self, settings: Settings) -> Deployment:
        """This deployment, remembering the settings for the commands that follow."""
        return replace(self, settings={key: plain(getattr(settings, key)) for key in REMEMBERED})

    def having(self, kind: str, identity: Mapping[str, str]) -> Deployment:
        """This deployment with one more resource."""
        return replace(self, resources={**self.resources, kind: identity})

    def without(self, kind: str) -> Deployment:
        """This deployment with one resource less."""
        return replace(self, resources={k: v for k, v in self.resources.items() if k != kind})


class Records:
    """The records in `home`, one file a deployment: `deployments/<target>/<account>/<region>/<name>.json`.

    What cannot be read is an error, or as good as missing where there is `forgive`, which is told of it once.
    """

    def __init__(self, home: Path, forgive: Callable[[str], None] | None = None) -> None:
        self.home = home
        self.folder = home / "deployments"
        self._forgive = forgive
        self._forgiven: set[Path] = set()

    def path(self, deployment: Deployment) -> Path:
        return self.folder / deployment.target / deployment.account / deployment.region / f"{deployment.name}.json"

    def load(self, blank: Deployment) -> Deployment:
        """The record in `blank`'s place, or `blank` itself when there is none."""
        return self._read(self.path(blank)) or blank

    def save(self, deployment: Deployment) -> None:
        """Write the record so that a crash or a power cut leaves either the old or the new one."""
        path = self.path(deployment)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        content = {"format": FORMAT, "lambdacap": __version__, **asdict(deployment)}
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with draft.open("w", encoding="utf-8") as stream:
                    stream.write(json.dumps(content, indent=2) + "\n")
                    stream.flush()
                    os.fsync(stream.fileno())
                draft.replace(path)
            except BaseException:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                raise
            _sync(path.parent)

    def delete(self, deployment: Deployment) -> None:
        """Remove the record and the folders that it leaves empty."""
        path = self.path(deployment)
        with writing(path):
            path.unlink(missing_ok=True)
        self._tidy(deployment)

    @contextmanager
    def locked(self, deployment: Deployment) -> Iterator[None]:
        """Be the only command that works on `deployment`. Raises `DeploymentError` when another one does."""
        try:
            with held(self.path(deployment).with_suffix(".lock")):
                yield
        except HeldError as error:
            raise DeploymentError(
                f"another command (process {error.pid}) is working on {deployment.name!r}",
                hint="Wait until it is through, then run this one again.",
            ) from error
        finally:
            self._tidy(deployment)

    def in_use(self, target: str) -> bool:
        """Whether anything is recorded or being worked on in `target`."""
        return bool(self._files(f"{target}/*/*/*.json")) or any(map(is_held, self._files(f"{target}/*/*/*.lock")))

    def _tidy(self, deployment: Deployment) -> None:
        with suppress(OSError):  # not empty, or another command has just removed it
            for folder in self.path(deployment).parents:
                if folder == self.home.parent:
                    break
                folder.rmdir()

    def all(self, name: str = "*", target: str = "*") -> list[Deployment]:
        """Every record of `name` and `target`, in a stable order."""
        return list(self._iterate(f"{target}/*/*/{name}.json"))

    def _iterate(self, pattern: str) -> Iterator[Deployment]:
        for path in self._files(pattern):
            deployment = self._read(path)
            if deployment:
                yield deployment

    def _files(self, pattern: str) -> list[Path]:
        while True:
            try:
                with reading(self.folder):
                    next(self.folder.iterdir(), None)  # which `glob` would take for empty if it cannot be read
            except FileNotFoundError:
                return []
            with suppress(FileNotFoundError):  # of a folder that another command has just removed
                return sorted(self.folder.glob(pattern))

    def _read(self, path: Path) -> Deployment | None:
        try:
            with reading(path):
                text = path.read_text("utf-8")
            content = json.loads(text)
            if content.pop("format") != FORMAT:
                raise DeploymentError(
                    f"{path} was written by lambdacap {str(content.get('lambdacap'))[:40]}, in a format unknown here",
                    hint="Use that version, or newer.",
                )
            content.pop("lambdacap")
            deployment = Deployment(**content)
            _check(deployment)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            if self._forgive:
                if path not in self._forgiven:
                    self._forgive(f"{path} is no readable record ({str(error)[:200]}): a deploy writes it anew")
                self._forgiven.add(path)
                return None
            raise DeploymentError(
                f"{path} is no readable record: {str(error)[:200]}",
                hint="Delete it: lambdacap finds what it made by name and tag, and writes the record anew.",
            ) from error
        # Where it lies says which deployment it is of, whatever somebody has written into it.
        target, account, region = path.relative_to(self.folder).parts[:3]
        return replace(deployment, name=path.stem, target=target, account=account, region=region)


def follow(settings: Settings, records: Records, target: str | None = None) -> Settings:
    """Settings that say which recorded deployment is meant: its target, region and profile.

    Without any record the settings stay as they are (names and tags will tell).
    """
    found = chosen(settings, records, target)
    if found is None:
        return settings
    return replace(settings, local=found.target == "local", region=found.region, profile=found.profile)


def chosen(settings: Settings, records: Records, target: str | None = None) -> Deployment | None:
    """The recorded deployment that is meant.

    What the user set narrows the choice, and so does `target`, "aws" or "local". Raises `DeploymentError` when
    more than one fits.
    """
    fitting = [
        d
        for d in records.all(settings.name)
        if d.target == (target or ("local" if settings.local else d.target))
        and settings.region in (None, d.region)
        and settings.profile in (None, d.profile)
    ]
    if len(fitting) > 1:
        places = ", ".join(f"{d.region} ({d.target} {d.account})" for d in fitting)
        raise DeploymentError(
            f"{settings.name!r} is deployed more than once: {places}",
            hint="Say which with --local, --region or --profile.",
        )
    return fitting[0] if fitting else None


def remembered(settings: Settings, deployment: Deployment) -> Settings:
    """Settings in which what the user did not set is as the deployment was made."""
    values = {key: value for key, value in deployment.settings.items() if key not in settings.given}
    typed: dict[str, Any] = {key: Path(str(value)) if KINDS[key] is Path else value for key, value in values.items()}
    return replace(settings, **typed)


def _check(deployment: Deployment) -> None:
    """Raise `TypeError` or `ValueError` for what only a person, or another version, can have written."""
    for name in ("profile", "endpoint"):
        if not isinstance(getattr(deployment, name), str | None):
            raise TypeError(f"its {name} is not text")
    for kind, identity in deployment.resources.items():
        if not all(isinstance(value, str) for value in identity.values()):
            raise TypeError(f"the {kind} has an identity that is not text")
    url = deployment.resources.get("api", {}).get("url")
    # Photos and keys go there, and a browser is sent there.
    if url is not None and not _URL.fullmatch(url):
        raise ValueError("the api has a url that is none")
    for key, value in deployment.settings.items():
        if key not in REMEMBERED:
            raise ValueError(f"it remembers {key!r}, which is no setting")
        wanted: type = str if KINDS[key] is Path else KINDS[key]
        if not (type(value) is wanted or (value is None and may_be_none(key))):
            raise TypeError(f"the setting {key} is {value!r}")


_URL = re.compile(r"https?://[!-~]+")


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, as `fsync` has a file's content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def plain(value: object) -> str | int | bool | None:
    return value if value is None or isinstance(value, int) else str(value)
