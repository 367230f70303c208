"""Training learns, and its export says the same: a few dozen steps, for real."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `model`)")
pytest.importorskip("onnx", reason="onnx is not installed (extra `model`)")

from captioner.bundle import Bundle  # noqa: E402
from demo.export import compare, export  # noqa: E402
from demo.network import Captioner  # noqa: E402
from demo.pictures import TRAINING, VALIDATION, Pictures, paint  # noqa: E402
from demo.train import exactly_right, train  # noqa: E402
from demo.vocabulary import LONGEST  # noqa: E402


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return paint(TRAINING, 64)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoint") / "checkpoint.pt"


@pytest.fixture(scope="module")
def trained(pictures: Pictures, checkpoint: Path) -> tuple[Captioner, list[float]]:
    check = Pictures(pictures.pixels[:4], pictures.captions[:4])
    return train(pictures, epochs=15, batch=32, check=check, checkpoint=checkpoint)


def test_training_pictures_are_the_same_each_time_and_no_others(pictures: Pictures) -> None:
    again = paint(TRAINING, 64, workers=2)
    np.testing.assert_array_equal(pictures.pixels, again.pixels)
    np.testing.assert_array_equal(pictures.captions, again.captions)
    other = paint(VALIDATION, 8)
    assert other.captions.shape == (8, LONGEST)
    assert not (other.pixels[:8] == pictures.pixels[:8]).all(axis=(1, 2, 3)).any()


def test_the_loss_falls(trained: tuple[Captioner, list[float]], pictures: Pictures) -> None:
    model, losses = trained
    assert len(losses) == 30
    assert np.mean(losses[-4:]) < 0.75 * np.mean(losses[:4])
    assert 0 <= exactly_right(model, pictures) <= 1


@pytest.mark.usefixtures("trained")
def test_the_export_says_what_pytorch_says(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    parity = export(checkpoint, folder, scenes=12)
    assert parity.equal_captions == parity.scenes == 12
    assert parity.log_probability < 0.1
    assert parity.attention < 0.02
    assert json.loads((folder / "model.json").read_text())["parity"]["equal_captions"] == 12
    again = tmp_path / "again"
    export(checkpoint, again, scenes=1)
    for file in ("encoder.onnx", "decoder.onnx", "vocabulary.json"):
        assert (folder / file).read_bytes() == (again / file).read_bytes()


@pytest.mark.usefixtures("trained")
def test_a_bundle_of_another_model_is_found_out(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path, scenes=1)
    torch.manual_seed(1)
    stranger = Captioner().eval()
    parity = compare(stranger, Bundle.load(tmp_path), 4)
    assert parity.equal_captions < 4
