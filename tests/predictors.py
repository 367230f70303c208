"""Image folders with a predictor of a test's own, and their deployments in the local cloud."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lambdacap.events import silent
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.settings import Settings
from tests.command import Command

IMAGE = Path(__file__).parents[1] / "image"


def image_of(predictor: str, folder: Path) -> Path:
    """What serves any model, and this module."""
    shutil.copytree(IMAGE / "serving", folder / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(IMAGE / "handler.py", folder)
    (folder / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    (folder / "predictor.py").write_text(predictor, "utf-8")
    return folder


@contextmanager
def standing(name: str, predictor: str, home: Path, folder: Path, auth: str = "none") -> Iterator[tuple[Command, str]]:
    """The command working on a deployment of this predictor in the local cloud of `home`, and the API's URL."""
    settings = Settings(name=name, local=True, docker=False, image=image_of(predictor, folder / "image"), home=home)
    made = deploy.deploy(replace(settings, auth=auth, rate=1000, burst=1000), silent)
    work = folder / "work"
    work.mkdir()
    yield Command(work, home, {"LAMBDACAP_NAME": name, "LAMBDACAP_DOCKER": "no"}), made.deployment.url or ""
    teardown(settings, silent)
