"""Copies of image folders by content tag: what a registry is to containers, this is to function processes.

Beside what the image would have lies a note, `RUNS`, of how it is run: by which Python, with which variables.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Set
from pathlib import Path

from lambdacap.images.docker_context import task
from lambdacap.local.secret import private

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A function's name, which is its image's (Lambda's API: FunctionName)."""
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""A tag (Open Container Initiative: distribution specification)."""

RUNS = ".lambdacap.json"


class Images:
    """The copies in `home`: `local/images/<name>/<tag>/`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "local" / "images"

    def path(self, name: str, tag: str) -> Path:
        """The copy's folder. Raises `ValueError` for what is no name or no tag: it may come from anybody's call."""
        if not _TAG.fullmatch(tag):
            raise ValueError(f"{tag!r} is no image tag")
        return self._all(name) / tag

    def runs(self, name: str, tag: str) -> tuple[Path | None, dict[str, str]]:
        """By which Python the copy is run, None for lambdacap's own, and with which variables of the image's."""
        try:
            said = json.loads((self.path(name, tag) / RUNS).read_text("utf-8"))
        except FileNotFoundError:
            return None, {}
        return Path(said["python"]) if said["python"] else None, said["variables"]

    def choose(self, name: str, recorded: str | None) -> str | None:
        """The tag `recorded` if there is a copy, else the one added last, or None."""
        tags = self._by_age(name)
        return recorded if recorded in tags else tags[-1] if tags else None

    def add(
        self,
        name: str,
        tag: str,
        source: Path,
        bundle: Path | None = None,
        python: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Copy what the function's folder holds (see `docker_context.task`); a copy appears whole or not at all.

        It is run by `python`, or lambdacap's own without one, and with the `variables` that the image would set.
        """
        target = self.path(name, tag)
        if not target.is_dir():
            private(target.parent)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
            for path, file in task(source, bundle).items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, draft / path)
            if python or variables:
                runs = {"python": str(python) if python else None, "variables": dict(variables or {})}
                (draft / RUNS).write_text(json.dumps(runs), "utf-8")
            draft.rename(target)
        os.utime(target)

    def prune(self, name: str, used: Set[str]) -> None:
        """Delete every copy but those tagged as in `used`, and drafts that a killed process left."""
        for copy in self._copies(name):
            if copy.name not in used:
                shutil.rmtree(copy)

    def remove(self, name: str) -> None:
        """Delete every copy of `name`."""
        if self._all(name).is_dir():
            shutil.rmtree(self._all(name))

    def _by_age(self, name: str) -> list[str]:
        copies = [copy for copy in self._copies(name) if not copy.name.startswith(".")]
        return [copy.name for copy in sorted(copies, key=lambda copy: copy.stat().st_mtime_ns)]

    def _copies(self, name: str) -> list[Path]:
        folder = self._all(name)
        return list(folder.iterdir()) if folder.is_dir() else []

    def _all(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no function name")
        return self.folder / name
