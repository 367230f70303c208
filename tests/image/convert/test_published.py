"""Pickles that only name what the format holds, and hold another model: a sentence, in little time and memory."""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from convert.errors import ConvertError
from convert.published import load

CLASSES = (
    *("caption.ImageToWordModel", "models.Encoder", "models.DecoderWithAttention"),
    *("torch.nn.modules.conv.Conv2d", "torch.nn.modules.container.Sequential"),
)


class Forge:
    """Objects that pickle as the published format's, with any attributes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.classes: dict[str, type] = {}
        for full in CLASSES:
            module, _, name = full.rpartition(".")
            found = sys.modules.get(module) if "torch" not in module else None
            holder = found or ModuleType(module)
            self.classes[name] = type(name, (), {"__module__": module})
            setattr(holder, name, self.classes[name])
            monkeypatch.setitem(sys.modules, module, holder)

    def __call__(self, kind: str, **attributes: object) -> Any:  # noqa: ANN401 - of a class made here
        made = self.classes[kind]()
        made.__dict__.update(attributes)
        return made


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Forge:
    return Forge(monkeypatch)


def refusal(folder: Path, model: object) -> str:
    file = folder / "model.pickle"
    with file.open("wb") as stream:
        pickle.dump(model, stream, protocol=4)
    begin = time.process_time()
    with pytest.raises(ConvertError) as refused:
        load(file)
    assert time.process_time() - begin < 20
    message = str(refused.value).removeprefix(str(file))
    assert len(message) < 500
    assert message.isprintable()
    return message


def test_modules_that_hold_the_one_below_twice(forge: Forge, tmp_path: Path) -> None:
    module = forge("Sequential")
    for _ in range(15):
        module = forge("Sequential", _modules={str(i): module for i in range(8)})
    assert "more than 10000 modules" in refusal(tmp_path, forge("ImageToWordModel", encoder=module, decoder=module))


def test_a_module_inside_of_itself(forge: Forge, tmp_path: Path) -> None:
    module = forge("Sequential")
    module._modules = {"x" * 50: module}
    assert "is no module" in refusal(tmp_path, forge("ImageToWordModel", encoder=module, decoder=module))


@pytest.mark.parametrize("part", ["_modules", "_parameters", "_buffers"])
@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"a" * 1000: None},
        {1: None},
        {"weight": 1},
        {"weight": "\x1b]0;owned\x07" * 1000},
        {str(i): None for i in range(2000)},
    ],
    ids=["list", "long name", "number", "no module or tensor", "escape sequence", "many"],
)
def test_parts_that_are_none(part: str, content: object, forge: Forge, tmp_path: Path) -> None:
    encoder = forge("Encoder", **{part: content})
    assert refusal(tmp_path, forge("ImageToWordModel", encoder=encoder, decoder=forge("DecoderWithAttention")))


def test_one_tensor_under_many_names(forge: Forge, tmp_path: Path) -> None:
    shared = torch.zeros(1000, 1000)
    encoder = forge("Encoder", _parameters={f"weight{i}": shared for i in range(900)})
    said = refusal(tmp_path, forge("ImageToWordModel", encoder=encoder, decoder=forge("DecoderWithAttention")))
    assert "larger than it is" in said


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(0, 2**30),
        torch.zeros(3, dtype=torch.float64),
        torch.tensor([1.0, float("nan")]),
        torch.zeros(4).to(torch.float16),
    ],
    ids=["empty", "float64", "nan", "float16"],
)
def test_tensors_of_another_kind(tensor: torch.Tensor, forge: Forge, tmp_path: Path) -> None:
    encoder = forge("Encoder", _parameters={"weight": tensor})
    said = refusal(tmp_path, forge("ImageToWordModel", encoder=encoder, decoder=forge("DecoderWithAttention")))
    assert "encoder.weight is no tensor of" in said


def test_a_block_of_a_number_that_no_network_has(forge: Forge, tmp_path: Path) -> None:
    """The network is as deep as the highest number of a block says."""
    one = torch.ones(1, 1, 1, 1)
    blocks = {"10000000": forge("Sequential", _parameters={"weight": one})}
    first = forge("Sequential", _modules={"conv2": forge("Conv2d", _parameters={"weight": one})})
    stage = forge("Sequential", _modules={"0": first, **blocks})
    resnet = forge("Sequential", _modules=dict.fromkeys("4567", stage))
    encoder = forge("Encoder", _modules={"resnet": resnet})
    attention = forge("Sequential", _modules={"encoder_att": forge("Sequential", _parameters={"weight": one})})
    recurrent = forge("Sequential", _parameters={"weight_hh": one})
    embedding = forge("Sequential", _parameters={"weight": one})
    parts = {"attention": attention, "decode_step": recurrent, "embedding": embedding}
    decoder = forge("DecoderWithAttention", _modules=parts)
    words = {"<pad>": 0, "<unk>": 1, "<start>": 2, "<end>": 3}
    said = refusal(tmp_path, forge("ImageToWordModel", encoder=encoder, decoder=decoder, word_map=words))
    assert "another network" in said


@pytest.mark.parametrize(
    "words",
    [
        None,
        [],
        {"a": []},
        {"a": 0, "b": "1"},
        {"a": 0, "b": 0},
        {0: "a"},
        {"<pad>": 0, "\ud800": 1},
        {"<pad>": True},
        {"<pad>": 0.0},
        {"<pad>": 0, "a": 1},
    ],
)
def test_words_that_are_none(words: object, forge: Forge, tmp_path: Path) -> None:
    model = forge("ImageToWordModel", encoder=forge("Encoder"), decoder=forge("Encoder"), word_map=words)
    assert "word_map" in refusal(tmp_path, model)
