"""Where settings come from: flag > environment > file > default."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lambdacap.errors import SettingsError
from lambdacap.settings.declared import DECLARATIONS, KINDS, Settings, flag
from lambdacap.settings.file import FILE, check_owner, entries
from lambdacap.settings.places import PREDICTOR, is_project

_PREFIX = "LAMBDACAP_"
_TESTS = re.compile(r"LAMBDACAP_(CI_|ENGINE$|REQUIRE_DOCKER$)")
"""The test suite's switches: who develops lambdacap has them set."""
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


def load(flags: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Settings:
    """Settings from `flags` (None: not given), `LAMBDACAP_*` in `environ`, and `lambdacap.toml` in `folder`.

    Where nothing says which image is meant, a `folder` that is a project is it. Raises `SettingsError` that names the
    source of a value that cannot be used.
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
        if key not in DECLARATIONS:
            raise SettingsError(f"{file} sets {key[:80]!r}, which is unknown", hint=_meant(key[:80]))
        values[key], given[key] = _convert(KINDS[key], value, f"{key} in {file}"), str(file)
    for key in DECLARATIONS:
        named = variable(key)
        if environ.get(named):
            values[key], given[key] = _convert(KINDS[key], environ[named], named), named
    for key, value in flags.items():
        if value is not None:
            values[key], given[key] = value, flag(key)
    if "image" not in values and is_project(folder):
        check_owner(folder / PREDICTOR)
        values["image"] = folder
    for key in values:
        if KINDS[key] is Path:
            values[key] = folder / values[key]  # what is recorded holds in any folder
    return Settings(**values, given=given)


def from_file(settings: Settings) -> str:
    """What `lambdacap.toml` says of where, what and for whom, in one line; empty when it says nothing of that."""
    said = {
        key: getattr(settings, key)
        for key in DECLARATIONS
        if DECLARATIONS[key].told and settings.given.get(key, "").endswith(FILE)
    }
    if not said:
        return ""
    file = settings.given[next(iter(said))]
    return f"{file} says: " + ", ".join(f"{key} = {value}" for key, value in said.items())


def strangers(environ: Mapping[str, str]) -> list[str]:
    """A sentence for every variable that looks like one of ours and is none."""
    known = {variable(name) for name in DECLARATIONS}
    return [
        f"{name} is set, which lambdacap does not know. " + _meant(name.removeprefix(_PREFIX), variable)
        for name in sorted(environ)
        if name.startswith(_PREFIX) and name not in known and not _TESTS.match(name)
    ]


def variable(name: str) -> str:
    """The environment variable that sets `name`."""
    return _PREFIX + name.upper()


def _meant(word: str, spelled: Callable[[str], str] = str) -> str:
    """What a misspelt setting was probably meant to be."""
    word = word.lower().replace("-", "_")
    near = [name for name in DECLARATIONS if word and name.startswith(word)] or difflib.get_close_matches(
        word, DECLARATIONS, n=1
    )
    if near:
        return f"Did you mean {spelled(near[0])}?"
    return f"Known: {', '.join(spelled(name) for name in DECLARATIONS)}."


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
