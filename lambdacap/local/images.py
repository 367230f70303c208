"""Copies of image folders by content tag: what a registry is to containers, this is to function processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from lambdacap.docker_image import content

KEPT = 2
"""Copies kept a deployment: the one in use, and the one before."""


class Images:
    """The copies in `home`: `local/images/<name>/<tag>/`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "local" / "images"

    def path(self, name: str, tag: str) -> Path:
        return self.folder / name / tag

    def newest(self, name: str) -> str | None:
        """The tag added last, or None."""
        tags = self._by_age(name)
        return tags[-1] if tags else None

    def add(self, name: str, tag: str, source: Path, bundle: Path | None = None) -> None:
        """Copy the build context (see `docker_image.content`); a copy appears whole or not at all."""
        target = self.path(name, tag)
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
            for path, file in content(source, bundle).items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, draft / path)
            draft.rename(target)
        os.utime(target)
        for old in self._by_age(name)[:-KEPT]:
            shutil.rmtree(self.path(name, old))

    def remove(self, name: str) -> None:
        """Delete every copy of `name`."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _by_age(self, name: str) -> list[str]:
        folder = self.folder / name
        copies = [c for c in folder.iterdir() if not c.name.startswith(".")] if folder.is_dir() else []
        return [copy.name for copy in sorted(copies, key=lambda copy: copy.stat().st_mtime_ns)]
