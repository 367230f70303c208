"""The bundle in the repository: right about fresh scenes, and never at a loss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import captioner
import numpy as np
import pytest
from demo.evaluate import answers, scores
from demo.painter import render
from demo.scenes import Group, Scene, Thing
from demo.vocabulary import WORDS
from PIL import Image

IMAGE = Path(__file__).resolve().parents[3] / "image"
BUNDLE = IMAGE / "demo" / "bundle"


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    captioner.setup(BUNDLE)


@pytest.mark.slow
def test_fresh_scenes_are_captioned_exactly_right() -> None:
    # Other scenes than those that `python -m demo.evaluate` shows when nothing is said.
    given = list(answers(160, seed=1))
    table = {score.what: score for score in scores(given)}
    assert table["all"].scenes == 160
    assert table["all"].share >= 0.93
    assert table["held-out pairs"].scenes == 40
    assert table["held-out pairs"].share >= 0.85


def test_the_example_of_the_readme() -> None:
    """A large red circle above two small blue squares."""
    scene = Scene(
        4 / 3,
        (
            Group("large", "red", "circle", (Thing(0.58, 0.25, 0.13, 0.0),)),
            Group("small", "blue", "square", (Thing(0.48, 0.65, 0.06, 8.0), Thing(0.68, 0.66, 0.06, -5.0))),
        ),
    )
    assert scene.is_clear()
    picture = render(scene, np.random.default_rng(1))
    answer = captioner.predict(picture, attention=True)
    assert answer["caption"] == scene.caption() == "a large red circle above two small blue squares"
    # Where it looks when it says "circle" is where the circle is.
    words, attention = answer["words"], answer["attention"]
    looked = np.array(attention[words.index("circle")])
    rows, columns = np.indices(looked.shape)
    assert (looked * (rows + 0.5)).sum() / looked.shape[0] == pytest.approx(0.25 / scene.extent[1], abs=0.15)
    assert (looked * (columns + 0.5)).sum() / looked.shape[1] == pytest.approx(0.5, abs=0.15)


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))


def _gradient() -> Image.Image:
    return Image.linear_gradient("L").resize((500, 200))


def _photo_like() -> Image.Image:
    """Sky, sun, hills: colours and edges as on a photo, and not one of the shapes by itself."""
    rows, columns = np.indices((480, 640))
    pixels = np.stack((90 + rows // 5, 140 + rows // 6, 230 - rows // 8), 2).astype(np.uint8)
    pixels[rows > 330 + 40 * np.sin(columns / 70)] = (40, 90, 35)
    pixels[np.hypot(rows - 90, columns - 500) < 35] = (255, 240, 190)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "picture",
    [
        _noise,
        _gradient,
        _photo_like,
        lambda: Image.new("RGB", (640, 480)),
        lambda: Image.new("RGB", (1, 1), "white"),
        lambda: Image.new("RGB", (3000, 2), "red"),
    ],
)
def test_a_picture_unlike_any_scene_gets_an_answer(picture: Callable[[], Image.Image]) -> None:
    answer = captioner.predict(picture())
    assert answer["caption"]
    assert answer["model"] == "lambdacap-demo"


def test_the_bundle_is_small_and_says_where_it_comes_from() -> None:
    files = {file.name: file.stat().st_size for file in BUNDLE.iterdir()}
    assert set(files) == {"encoder.onnx", "decoder.onnx", "vocabulary.json", "model.json"}
    assert sum(files.values()) <= 3.2e6
    manifest = json.loads((BUNDLE / "model.json").read_text())
    assert json.loads((BUNDLE / "vocabulary.json").read_text()) == list(WORDS)
    assert manifest["source"]["kind"] == "training"
    assert len(manifest["source"]["sha256"]) == 64
    parity = manifest["parity"]
    assert parity["equal_captions"] == parity["scenes"] >= 100


def test_evaluation_is_a_command_that_can_fail() -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "demo.evaluate", "--bundle", str(BUNDLE), *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(IMAGE)},
        )

    figures = run("--scenes", "8", "--json", "--at-least", "50")
    assert figures.returncode == 0, figures.stderr
    assert json.loads(figures.stdout)["scores"][0]["scenes"] == 8
    table = run("--scenes", "4", "--at-least", "101")
    assert table.returncode == 1
    assert "held-out pairs" in table.stdout
