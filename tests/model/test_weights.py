"""`--weights`: what goes into the image, for Docker's context and for function processes alike."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lambdacap.errors import ModelError
from lambdacap.events import Event, Warned, silent
from lambdacap.images import docker_context
from lambdacap.local.images import Images
from lambdacap.model import weights
from lambdacap.settings import Settings

FILES = {
    "handler.py": "1",
    "demo/bundle/model.json": '{"format": 1}',
    "demo/bundle/encoder.onnx": "demo",
    "demo/train.py": "2",
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A bundle outside of the image's folder."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"format": 1, "name": "mine", "image": {"width": 8, "height": 8}}))
    (folder / "encoder.onnx.data").write_bytes(b"weights")
    return folder


def test_by_default_aws_gets_the_published_and_the_local_cloud_the_demo(
    image_folder: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    image = image_folder(FILES)
    assert weights.choice(Settings(image=image, home=tmp_path)) == "published"
    assert weights.choice(Settings(image=image, home=tmp_path, local=True)) is None
    assert weights.choice(Settings(image=image, home=tmp_path, weights="demo")) is None
    assert weights.choice(Settings(image=image_folder({"model/model.json": "{}", **FILES}), home=tmp_path)) is None
    assert weights.choice(Settings(image=image_folder({"handler.py": "own"}), home=tmp_path)) is None


def test_weights_are_the_captioners_and_no_projects(tmp_path: Path) -> None:
    (tmp_path / "predictor.py").touch()
    settings = Settings(image=tmp_path, weights="demo", given={"weights": "--weights"})
    with pytest.raises(ModelError, match=r"are the captioner's.*\(--weights\)"):
        weights.settle(settings, silent)
    # A variable that is set for the captioner hinders no project.
    events: list[Event] = []
    settled = weights.settle(replace(settings, given={"weights": "LAMBDACAP_WEIGHTS"}), events.append)
    assert settled.bundle is None
    assert [event.text for event in events if isinstance(event, Warned) and "LAMBDACAP_WEIGHTS" in event.text]


def test_a_bundle_from_elsewhere_becomes_the_model(
    image_folder: Callable[[dict[str, str]], Path], own: Path, tmp_path: Path
) -> None:
    image = image_folder({"model/model.json": "{}", **FILES})
    settings = weights.settle(Settings(image=image, home=tmp_path, local=True, weights=str(own)), silent)
    assert settings.bundle == own
    expected = {"Dockerfile", "handler.py", "model/model.json", "model/encoder.onnx.data"}
    with docker_context.context(image, own) as stream, tarfile.open(fileobj=stream) as tar:
        assert set(tar.getnames()) == expected
        member = tar.extractfile("model/model.json")
        assert member is not None
        assert json.load(member)["name"] == "mine"
    Images(tmp_path).add("name", "tag", image, own)
    copy = Images(tmp_path).path("name", "tag")
    assert {str(f.relative_to(copy)) for f in copy.rglob("*") if f.is_file()} == expected


def test_another_model_is_another_tag(image_folder: Callable[[dict[str, str]], Path], own: Path) -> None:
    image = image_folder(FILES)
    plain = docker_context.content_tag(image, "x86_64")
    one = docker_context.content_tag(image, "x86_64", bundle=own)
    (own / "encoder.onnx.data").write_bytes(b"others!")
    docker_context.content_tag.cache_clear()
    assert len({plain, one, docker_context.content_tag(image, "x86_64", bundle=own)}) == 3


def test_a_dry_run_downloads_nothing(image_folder: Callable[[dict[str, str]], Path], tmp_path: Path) -> None:
    events: list[Event] = []
    home = tmp_path / "home"
    settings = Settings(image=image_folder(FILES), home=home, given={"home": "LAMBDACAP_HOME"})
    settled = weights.settle(settings, events.append, dry=True)
    assert settled.bundle is not None
    assert not home.exists()
    assert any(isinstance(event, Warned) and "published" in event.text for event in events)


@pytest.mark.parametrize("what", ["/nowhere/model.pickle", "nonsense"])
def test_a_path_where_nothing_is(what: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file or folder") as failed:
        weights.settle(Settings(home=tmp_path, weights=what), silent)
    assert "published" in failed.value.hint


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no model bundle"):
        weights.settle(Settings(home=tmp_path, weights=str(tmp_path)), silent)
