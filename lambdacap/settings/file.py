"""`lambdacap.toml`: what it sets, before anybody has looked at the values."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from lambdacap.errors import SettingsError

FILE = "lambdacap.toml"
_LARGEST = 1 << 20  # bytes


def entries(file: Path) -> dict[str, object]:
    """What the file sets; nothing when it is not there. Raises `SettingsError` when it cannot be read or trusted."""
    try:
        if not file.is_file():
            return {}
        check_owner(file)
        with file.open("rb") as stream:
            text = stream.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise SettingsError(f"{file} is larger than a file of settings", hint="Is it one?")
        return tomllib.loads(text.decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror}", hint="Correct that, or move it away."
        ) from error
    except (ValueError, RecursionError) as error:  # TOML that is none, text that is none, lists without an end
        raise SettingsError(
            f"{file} is not valid TOML: {error}", hint='A line of it looks like: memory = 2048, or: name = "captions"'
        ) from error


def check_owner(file: Path) -> None:
    """Refuse another user's file: in a folder that many can write to, it would say what is run in our name."""
    owner, me = file.stat().st_uid, os.geteuid()
    if me not in (0, owner) and owner:
        raise SettingsError(
            f"{file} belongs to another user of this machine, who could say what is run in your name",
            hint="Run lambdacap in another folder, or make the file yours with chown.",
        )
