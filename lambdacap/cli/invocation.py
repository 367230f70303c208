"""Commands in what is told, as they have to be typed: with the options that say which deployment is meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from lambdacap.settings import Settings, flag

_COMMAND = re.compile(r"`lambdacap ([a-z-]+)([^`]*)`")
_ELSEWHERE = {"demo", "eject", "init", "list", "local", "model", "run", "serve"}
"""Commands that work on no deployment."""
_FROM_SCRATCH = {"build", "create-api", "create-function", "deploy", "doctor", "policy", "push"}
"""Those that follow no record to where the deployment is."""


def typed(settings: Settings) -> dict[str, str]:
    """Option → value, of those that the user typed to say which deployment is meant; `--local` has no value."""
    names = [name for name in ("name", "region", "profile", "local") if settings.given.get(name) == flag(name)]
    return {flag(name): "" if name == "local" else str(getattr(settings, name)) for name in names}


def completed(text: str, options: Mapping[str, str], *, here: bool = False) -> str:
    """The text, with `options` added to each command in backquotes that lacks them.

    `here`: the deployment is in the local cloud, which commands that follow no record have to be told.
    """

    def complete(match: re.Match[str]) -> str:
        name, rest = match[1], match[2]
        if name in _ELSEWHERE:
            return match[0]
        wanted = {**options, "--local": ""} if here and name in _FROM_SCRATCH else options
        added = [f" {o} {shlex.quote(v)}" if v else f" {o}" for o, v in wanted.items() if o not in rest.split()]
        return f"`lambdacap {name}{''.join(added)}{rest}`"

    return _COMMAND.sub(complete, text)
