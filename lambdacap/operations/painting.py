"""Paints a scene that the demo model knows: with the painter that it was trained by, in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

from lambdacap import children
from lambdacap.aws.hints import install_extra
from lambdacap.errors import SettingsError
from lambdacap.settings import default_image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def paint(file: Path, *, seed: int | None = None) -> str:
    """Write a picture of a scene, and return the sentence that says what is on it; the same `seed`, the same scene.

    Raises `SettingsError` when it cannot be painted or written.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"a scene cannot be written as {file}", hint=f"End its name in {', '.join(SUFFIXES)}.")
    if importlib.util.find_spec("numpy") is None:
        raise SettingsError("painting needs what is not installed: numpy", hint=install_extra("local"))
    new = not file.exists()
    try:
        file.open("ab").close()  # the painter's own complaint would be a traceback
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}") from error
    options = [] if seed is None else [f"--seed={seed}"]
    painter = subprocess.run(
        children.python("demo.paint", *options, "--", file.absolute()),
        env=children.environment(os.environ, [default_image()], PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
    )
    if painter.returncode:
        if new:
            file.unlink(missing_ok=True)
        reason = painter.stderr.strip().rpartition("\n")[2]
        raise SettingsError(f"{file} cannot be painted: {reason}", hint="Check that its disk has room.")
    return painter.stdout.strip()
