"""Projects as their authors write them, and what the tests of several folders make of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambdacap.images import docker_context
from lambdacap.projects import interpreter
from tests.command import Command

SHOUT = '''"""Says it louder."""


def predict(text: str, times: int = 1) -> str:
    """The text in capitals."""
    return " ".join([text.upper()] * times)
'''
"""A predictor that requires nothing."""

OWN = f"local/python:{interpreter.find(None).minor}"
"""A base image with the Python that the tests run by, which spares looking for another."""


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder by their paths."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    docker_context.content_tag.cache_clear()
    return folder


def url(command: Command) -> str:
    """Where the command's deployment answers."""
    return str(command("status", "--local", "--json").data["url"])
