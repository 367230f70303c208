"""Copies of image folders by content tag: what a registry is to containers, this is to function processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Set
from pathlib import Path

from lambdacap.images.docker_context import content


class Images:
    """The copies in `home`: `local/images/<name>/<tag>/`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "local" / "images"

    def path(self, name: str, tag: str) -> Path:
        return self.folder / name / tag

    def choose(self, name: str, recorded: str | None) -> str | None:
        """The tag `recorded` if there is a copy, else the one added last, or None."""
        tags = self._by_age(name)
        return recorded if recorded in tags else tags[-1] if tags else None

    def add(self, name: str, tag: str, source: Path, bundle: Path | None = None) -> None:
        """Copy the build context (see `docker_context.content`); a copy appears whole or not at all."""
        target = self.path(name, tag)
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
            for path, file in content(source, bundle).items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, draft / path)
            draft.rename(target)
        os.utime(target)

    def prune(self, name: str, used: Set[str]) -> None:
        """Delete every copy but those tagged as in `used`, and drafts that a killed process left."""
        for copy in self._copies(name):
            if copy.name not in used:
                shutil.rmtree(copy)

    def remove(self, name: str) -> None:
        """Delete every copy of `name`."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _by_age(self, name: str) -> list[str]:
        copies = [copy for copy in self._copies(name) if not copy.name.startswith(".")]
        return [copy.name for copy in sorted(copies, key=lambda copy: copy.stat().st_mtime_ns)]

    def _copies(self, name: str) -> list[Path]:
        folder = self.folder / name
        return list(folder.iterdir()) if folder.is_dir() else []
