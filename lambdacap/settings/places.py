"""The folders that settings fall back on."""

from __future__ import annotations

from pathlib import Path


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
    """Where weights and bundles are kept, by the platform's convention."""
    from platformdirs import user_cache_path

    return user_cache_path("lambdacap")
