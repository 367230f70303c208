"""Which Python a project runs by: the image's where it is, and no shim that only looks like it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from lambdacap.projects import interpreter


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("public.ecr.aws/lambda/python:3.13", "3.13"),
        ("public.ecr.aws/lambda/python:3.12.2024.01.01", "3.12"),
        ("me.dkr.ecr.eu-west-1.amazonaws.com/python:3.13-arm64", "3.13"),
        ("localhost:5000/lambda-python:3.11", "3.11"),
        ("python:v3.14.1", "3.14"),
        ("localhost:5000/base", None),
        ("base:latest", None),
        ("base@sha256:0123", None),
        ("", None),
        (None, None),
    ],
)
def test_a_tag_says_which_python(base: str | None, version: str | None) -> None:
    assert interpreter.version_of(base) == version


@pytest.mark.parametrize("wanted", [None, f"{sys.version_info.major}.{sys.version_info.minor}"])
def test_lambdacaps_own(wanted: str | None) -> None:
    found = interpreter.find(wanted)
    assert (found.path, found.version, found.missing) == (Path(sys.executable), platform.python_version(), "")
    assert found.version.startswith(found.minor)


def fake(folder: Path, script: str) -> None:
    (folder / "python3.99").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "python3.99").chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path and a home with nothing in them."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    interpreter.find.cache_clear()
    return tmp_path


def test_one_on_the_path(bare: Path) -> None:
    fake(bare, "echo 3.99.1")
    found = interpreter.find("3.99")
    assert (found.path, found.version, found.minor) == (bare / "python3.99", "3.99.1", "3.99")


def test_one_of_pyenv(bare: Path) -> None:
    fake(bare, "echo 'python3.99: command not found' >&2; exit 127")  # what a shim of pyenv's says
    place = bare / "pyenv" / "versions" / "3.99.2" / "bin"
    place.mkdir(parents=True)
    fake(place, "echo 3.99.2")
    assert interpreter.find("3.99").path == place / "python3.99"


@pytest.mark.parametrize("script", ["exit 127", "echo 3.98.1", "echo nonsense", "kill -9 $$"])
def test_what_only_looks_like_it_is_none(script: str, bare: Path) -> None:
    fake(bare, script)
    found = interpreter.find("3.99")
    assert (found.path, found.missing) == (Path(sys.executable), "3.99")


def test_the_current_folders_own_python_is_not_asked(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder that somebody was sent, uv would run `.venv/bin/python` to see which Python it is."""
    places = bare / ".venv" / "bin"
    places.mkdir(parents=True)
    for name in ("python", "python3", "python3.9"):
        (places / name).write_text(f'#!/bin/sh\ntouch {bare}/ran\nexec {sys.executable} "$@"\n', "utf-8")
        (places / name).chmod(0o755)
    (bare / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.9.1\n", "utf-8")
    monkeypatch.chdir(bare)
    assert interpreter.uv_binary()
    assert interpreter.find("3.9").missing == "3.9"
    assert not (bare / "ran").exists()
