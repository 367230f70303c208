"""What `docker` itself writes into the home of its user."""

from __future__ import annotations

import hashlib
import json

from tests.command import Command


def add_context(command: Command, name: str, content: str) -> None:
    """What `docker context create` writes."""
    folder = command.folder / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(content, "utf-8")


def context(name: str, host: str) -> str:
    return json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}})


def configure(command: Command, **settings: object) -> None:
    """The user's `~/.docker/config.json`."""
    (command.folder / ".docker").mkdir(exist_ok=True)
    (command.folder / ".docker" / "config.json").write_text(json.dumps(settings), "utf-8")
