"""All settings, each declared in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

from lambdacap.errors import SettingsError
from lambdacap.settings.places import default_cache, default_home, default_image
from lambdacap.settings.setting import (
    ALARMS,
    CALLERS,
    FUNCTION,
    IMAGE,
    WHICH,
    Check,
    Declaration,
    among,
    between,
    matching,
)

ARCHITECTURES = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""Lambda's name of an architecture → Docker's name of the platform."""
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557)
"""What CloudWatch Logs accepts (API reference of PutRetentionPolicy), as far as anybody needs it."""
AUTH = ("none", "key", "iam")
"""Who may call: anybody, who sends the API key, or who signs with AWS credentials that may."""
_BUILT, _MADE = ("build", "push"), ("create-function",)
_HERE = ("run", "serve")
_IN_FRONT = ("create-api",)


@dataclass(frozen=True)
class Settings:
    """All settings of one run, checked.

    `given` says of what the user set himself where he did: "--memory", "LAMBDACAP_MEMORY" or the file's path.
    """

    name: Annotated[
        str,
        Declaration(
            "Which deployment",
            more="several live side by side",
            panel=WHICH,
            metavar="NAME",
            told=True,
            check=matching(  # fits every service at once: ECR wants lower case, IAM 64 characters for `<name>-<region>`
                r"[a-z][a-z0-9-]{0,38}[a-z0-9]",
                "name {value!r} cannot name a deployment",
                "Use 2 to 40 lower-case letters, digits and hyphens, beginning with a letter.",
            ),
        ),
    ] = "lambdacap"
    region: Annotated[
        str | None,
        Declaration(
            "AWS region, for example eu-central-1",
            default="AWS's own settings",
            panel=WHICH,
            metavar="REGION",
            told=True,
            check=matching(
                r"[a-z]{2,8}(-[a-z]+)+-\d{1,2}", "{value!r} is no AWS region", "One looks like eu-central-1."
            ),
        ),
    ] = None
    profile: Annotated[
        str | None,
        Declaration(
            "AWS profile to sign in with", default="AWS's own settings", panel=WHICH, metavar="PROFILE", told=True
        ),
    ] = None
    local: Annotated[
        bool,
        Declaration(
            "The local cloud on this machine instead of AWS",
            panel=WHICH,
            told=True,
        ),
    ] = False
    image: Annotated[
        Path,
        Declaration(
            "A project: a folder with predictor.py; or one with Dockerfile and handler.py",
            default="the current folder if it is a project, else the captioner",
            panel=IMAGE,
            metavar="DIR",
            steps=(*_BUILT, *_HERE, "eject"),
            kept=True,
            told=True,
        ),
    ] = field(default_factory=default_image)
    base_image: Annotated[
        str | None,
        Declaration(
            "What the image builds on",
            more="where that one cannot be pulled, a copy in your own registry",
            default="the Dockerfile's: AWS's Python for Lambda",
            panel=IMAGE,
            metavar="IMAGE",
            steps=_BUILT,
            kept=True,
            told=True,
        ),
    ] = None
    weights: Annotated[
        str | None,
        Declaration(
            "The model: published, demo, a model.pickle, a bundle or an address",
            default="published; locally demo",
            panel=IMAGE,
            metavar="WEIGHTS",
            steps=(*_BUILT, *_HERE),
            told=True,
        ),
    ] = None
    architecture: Annotated[
        str,
        Declaration(
            "x86_64 or arm64",
            panel=IMAGE,
            flags=("--arch",),
            metavar="ARCH",
            steps=(*_BUILT, *_MADE),
            kept=True,
            check=among(
                ARCHITECTURES, "architecture {value!r} is unknown", f"Lambda has {' and '.join(ARCHITECTURES)}."
            ),
        ),
    ] = "x86_64"
    memory: Annotated[
        int,
        Declaration(
            "MB of memory; CPU comes with it",
            more="1 vCPU at 1769 MB",
            panel=FUNCTION,
            metavar="MB",
            steps=(*_MADE, *_HERE),
            kept=True,
            check=between(128, 10_240, "MB"),
        ),
    ] = 3008
    timeout: Annotated[
        int,
        Declaration(
            "Seconds an invocation may take",
            panel=FUNCTION,
            metavar="S",
            steps=(*_MADE, *_HERE),
            kept=True,
            check=between(1, 900, "seconds"),
        ),
    ] = 60
    storage: Annotated[
        int,
        Declaration(
            "MB in /tmp, for files while they are worked on",
            more="Lambda charges for what exceeds 512",
            panel=FUNCTION,
            metavar="MB",
            steps=_MADE,
            kept=True,
            check=between(512, 10_240, "MB"),
        ),
    ] = 512
    log_retention: Annotated[
        int,
        Declaration(
            "Days that logs are kept",
            panel=FUNCTION,
            metavar="DAYS",
            steps=_MADE,
            kept=True,
            check=among(
                RETENTION_DAYS,
                "log_retention = {value} days is not offered by CloudWatch Logs",
                f"Choose one of {', '.join(map(str, RETENTION_DAYS))}.",
            ),
        ),
    ] = 14
    docker: Annotated[
        bool,
        Declaration(
            "Local cloud: run the image in an engine if there is one",
            panel=IMAGE,
            flags=("--docker", "--no-docker"),
            steps=("push", *_MADE, *_IN_FRONT),
            kept=True,
        ),
    ] = True
    auth: Annotated[
        str,
        Declaration(
            "Who may call: none (anybody), key or iam",
            more="a deployment keeps what it has until it is told otherwise",
            panel=CALLERS,
            metavar="AUTH",
            steps=_IN_FRONT,
            kept=True,
            told=True,
            check=among(AUTH, "auth {value!r} is unknown", f"Choose one of {', '.join(AUTH)}."),
        ),
    ] = "none"
    quota: Annotated[
        int | None,
        Declaration(
            "Requests a day that the API key is good for",
            panel=CALLERS,
            metavar="N",
            steps=_IN_FRONT,
            kept=True,
            check=Check(
                lambda value: value >= 1, "quota = {value} lets nobody in", "It counts requests a day, from 1."
            ),
        ),
    ] = None
    rate: Annotated[
        int,
        Declaration(
            "Requests a second that all callers together may send",
            panel=CALLERS,
            metavar="N",
            steps=_IN_FRONT,
            kept=True,
            check=between(1, 10_000, "requests a second", "API Gateway"),
        ),
    ] = 20
    burst: Annotated[
        int,
        Declaration(
            "Requests that may come at once",
            panel=CALLERS,
            metavar="N",
            steps=_IN_FRONT,
            kept=True,
            check=between(1, 5_000, "requests", "API Gateway"),
        ),
    ] = 40
    reserved_concurrency: Annotated[
        int | None,
        Declaration(
            "Executions at a time, kept free for the function and its limit",
            panel=FUNCTION,
            metavar="N",
            steps=_MADE,
            kept=True,
            check=between(1, 1_000_000, "executions"),
        ),
    ] = None
    origin: Annotated[
        str,
        Declaration(
            "Whose web pages may call the API",
            default="*, all",
            panel=CALLERS,
            metavar="ORIGIN",
            steps=(*_MADE, *_IN_FRONT),
            kept=True,
            told=True,
            check=matching(
                r"\*|https?://[a-z0-9.-]+(:\d{1,5})?",
                "origin {value!r} is none",
                "One looks like https://example.com, without a path; * is any.",
            ),
        ),
    ] = "*"
    alarm_email: Annotated[
        str | None,
        Declaration(
            "Whom AWS writes to when an hour has too many calls",
            panel=ALARMS,
            metavar="ADDRESS",
            kept=True,
            told=True,
            check=matching(
                r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+",
                "alarm_email {value!r} is no e-mail address",
                "One looks like anna@example.com.",
            ),
        ),
    ] = None
    alarm_calls: Annotated[
        int,
        Declaration(
            "How many calls an hour are no alarm yet",
            panel=ALARMS,
            metavar="N",
            kept=True,
            check=between(1, 1_000_000_000, "calls an hour", "CloudWatch"),
        ),
    ] = 1000
    budget: Annotated[
        int | None,
        Declaration(
            "US dollars a month; the same address is told of more",
            panel=ALARMS,
            metavar="USD",
            kept=True,
            check=between(1, 1_000_000_000, "US dollars a month", "AWS Budgets"),
        ),
    ] = None
    boundary: Annotated[
        str | None,
        Declaration(
            "The managed policy that bounds what the function's role may",
            more="without it the role keeps the one it has",
            panel=FUNCTION,
            metavar="ARN",
            kept=True,
            check=matching(
                r"arn:[a-z-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]{1,640}",
                "boundary {value!r} is no managed policy's ARN",
                "One looks like arn:aws:iam::123456789012:policy/developers.",
            ),
        ),
    ] = None
    home: Annotated[
        Path, Declaration("Where records and the local cloud live", default="the platform's state folder")
    ] = field(default_factory=default_home)
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
        for name, declaration in DECLARATIONS.items():
            check, value = declaration.check, getattr(self, name)
            if check and value is not None and not check.holds(value):
                problem = check.problem.format(name=name, value=value)
                raise SettingsError(problem + self._whose(name), hint=check.hint)
        if self.budget is not None and self.alarm_email is None:
            raise SettingsError(
                f"budget = {self.budget}, but nobody would be told{self._whose('budget')}",
                hint="Add --alarm-email, or leave --budget out.",
            )

    def _whose(self, name: str) -> str:
        """Whose word a bad value is: in an error, its reader looks there."""
        return f" ({self.given[name]})" if name in self.given else ""


DECLARATIONS: dict[str, Declaration] = {}
"""Each setting's, in their order."""
KINDS: dict[str, type] = {}
"""Setting → the type of its value: str, int, bool or Path."""
for _name, _hint in get_type_hints(Settings, include_extras=True).items():
    if get_origin(_hint) is Annotated:
        _type, DECLARATIONS[_name] = get_args(_hint)
        KINDS[_name] = next((one for one in get_args(_type) if one is not type(None)), _type)


def flag(name: str) -> str:
    """The option of the command line that sets `name`."""
    flags = DECLARATIONS[name].flags
    return flags[0] if flags else "--" + name.replace("_", "-")


def may_be_none(name: str) -> bool:
    """Whether a setting can stay unset."""
    return next(each.default is None for each in fields(Settings) if each.name == name)
