"""The folders that settings fall back on, and what a folder is."""

from __future__ import annotations

from pathlib import Path

PREDICTOR = "predictor.py"
"""What makes a folder a project."""


def default_image() -> Path:
    """The folder that goes to Lambda: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "image"
    return installed if installed.is_dir() else package.parent / "image"


def default_home() -> Path:
    """Where records and the local cloud live, by the platform's convention."""
    from platformdirs import user_state_path

    return user_state_path("lambdacap")


def default_cache() -> Path:
    """Where weights, bundles and the environments of projects are kept, by the platform's convention."""
    from platformdirs import user_cache_path

    return user_cache_path("lambdacap")


def is_project(folder: Path) -> bool:
    """Whether a folder holds a predictor, and is no image folder of its own, which has a handler and a Dockerfile."""
    own = (folder / "handler.py").is_file() and (folder / "Dockerfile").is_file()
    return (folder / PREDICTOR).is_file() and not own
