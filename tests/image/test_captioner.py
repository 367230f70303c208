"""The captioner behind its seam: options, the answer's form, and what the model gets to see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import captioner
import numpy as np
import pytest
from captioner.bundle import Bundle
from captioner.caption import Captioner
from captioner.preprocess import tensor
from PIL import Image


@pytest.fixture(autouse=True)
def ready(bundle_folder: Path) -> None:
    captioner.setup(bundle_folder)


def test_the_answer_has_the_published_form(scene: Image.Image) -> None:
    answer = captioner.predict(scene)
    words = answer["words"]
    assert isinstance(words, list)
    assert words
    assert answer["caption"] == " ".join(words)
    assert answer["model"] == "tiny"
    assert isinstance(answer["log_probability"], float)
    assert answer["log_probability"] < 0
    assert set(answer) == {"caption", "words", "log_probability", "model"}
    assert json.loads(json.dumps(answer)) == answer


def test_the_same_picture_gives_the_same_answer(scene: Image.Image) -> None:
    assert captioner.predict(scene) == captioner.predict(scene)


def test_the_beam_is_followed(scene: Image.Image) -> None:
    likely = [captioner.predict(scene, beam)["log_probability"] for beam in get_args(captioner.Beam)]
    assert len(set(likely)) > 1
    assert captioner.predict(scene, 3) == captioner.predict(scene)


def test_attention_is_one_grid_a_word(scene: Image.Image) -> None:
    answer = captioner.predict(scene, attention=True)
    grids = np.array(answer["attention"])
    assert isinstance(answer["words"], list)
    assert grids.shape == (len(answer["words"]), 4, 4)
    assert grids.min() >= 0
    np.testing.assert_allclose(grids.sum(axis=(1, 2)), 1, atol=16 * 5e-5)
    assert json.loads(json.dumps(answer)) == answer
    assert "attention" not in captioner.predict(scene, attention=False)


def test_attention_changes_no_word(scene: Image.Image) -> None:
    answer = captioner.predict(scene, 5, attention=True)
    del answer["attention"]
    assert answer == captioner.predict(scene, 5)


def test_candidates_come_best_first_and_change_nothing_else(scene: Image.Image) -> None:
    answer = captioner.predict(scene, 6, attention=True, candidates=True)
    candidates: Any = answer.pop("candidates")
    assert answer == captioner.predict(scene, 6, attention=True)
    assert candidates[0] == {key: answer[key] for key in ("caption", "words", "log_probability")}
    likely = [one["log_probability"] for one in candidates]
    assert likely == sorted(likely, reverse=True)
    assert 1 < len(candidates) <= 6
    assert len({one["caption"] for one in candidates}) == len(candidates)
    assert json.loads(json.dumps(candidates)) == candidates


def test_special_words_are_never_said(bundle_folder: Path) -> None:
    model = Captioner(Bundle.load(bundle_folder))
    rng = np.random.default_rng(3)
    for _ in range(50):
        image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
        answer = model.caption(image, beam=4, attention=True)
        assert "<" not in str(answer["caption"])
        assert len(answer["words"]) == len(answer["attention"])  # type: ignore[arg-type]


def test_about_says_what_the_handler_wants_to_know() -> None:
    assert captioner.about() == {"model": "tiny", "image_size": (32, 32)}


def test_the_tensor_is_what_the_published_code_feeds(bundle_folder: Path, scene: Image.Image) -> None:
    array = tensor(scene, Bundle.load(bundle_folder))
    assert array.shape == (1, 3, 32, 32)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    small = np.asarray(scene.resize((32, 32), Image.Resampling.BICUBIC)) / 255
    for channel, (mean, std) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        np.testing.assert_allclose(array[0, channel], (small[..., channel] - mean) / std, atol=1e-6)


def test_the_folder_comes_from_the_variable_then_from_beside_the_handler(tmp_path: Path) -> None:
    assert captioner.default_folder({"MODEL_DIR": str(tmp_path)}) == tmp_path
    image = Path(captioner.__file__).resolve().parents[1]
    assert captioner.default_folder({}) in (image / "model", image / "demo" / "bundle")
