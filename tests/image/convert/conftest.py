"""A small model of the published format, and its bundles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.published import files


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `model.pickle` of 16 MB."""
    return files.make("small", tmp_path_factory.mktemp("published") / "model.pickle")


@pytest.fixture(scope="session")
def onnx_bundle(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "bundle"
    files.run("convert", published, "-o", folder)
    return folder


@pytest.fixture(scope="session")
def torch_bundle(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torch") / "bundle"
    files.run("convert", published, "-o", folder, "--runtime", "torch")
    return folder
