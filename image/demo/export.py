"""A trained checkpoint as a model bundle: `python -m demo.export checkpoint.pt`.

Nothing is taken over on trust: scenes go through the PyTorch model and through the bundle as the handler
would load it, and one differing caption is an error. What else differs is written to `model.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from captioner.beam import Floats, Step, search
from captioner.bundle import DECODER, ENCODER, FORMAT, MANIFEST, VOCABULARY, Bundle
from captioner.onnx_backend import DECODER_INPUTS, DECODER_OUTPUTS, ENCODER_OUTPUTS, OnnxModel
from captioner.preprocess import tensor
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from demo.network import GRID, Captioner
from demo.painter import render
from demo.pictures import HEIGHT, MEAN, PARITY, STD, WIDTH
from demo.scenes import random_scene
from demo.vocabulary import INDEX, START, WORDS

BUNDLE = Path(__file__).parent / "bundle"
BEAM = 3
OPSET = 17
HALF_FROM = 256  # smaller tensors than this save nothing worth a Cast


class ParityError(Exception):
    """The bundle says something else than the model that it was made from."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How the bundle compares to PyTorch on rendered scenes: how many captions are equal, and the largest
    differences of a caption's log-probability and of any point's share of attention."""

    scenes: int
    equal_captions: int
    log_probability: float
    attention: float


def export(checkpoint: Path, bundle: Path = BUNDLE, scenes: int = 200) -> Parity:
    """Writes the bundle, after its captions of so many scenes were the checkpoint's. Raises `ParityError`."""
    model = Captioner()
    model.load_state_dict(torch.load(checkpoint, weights_only=True))
    model.eval()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _graphs(model, folder)
        (folder / VOCABULARY).write_text(json.dumps(WORDS, indent=0) + "\n", encoding="utf-8")
        manifest = _manifest(model, checkpoint)
        _write(folder / MANIFEST, manifest)
        parity = compare(model, Bundle.load(folder), scenes)
        if parity.equal_captions != parity.scenes:
            raise ParityError(f"{parity.scenes - parity.equal_captions} of {parity.scenes} captions differ")
        _write(folder / MANIFEST, {**manifest, "parity": asdict(parity)})
        bundle.mkdir(parents=True, exist_ok=True)
        for file in (ENCODER, DECODER, VOCABULARY, MANIFEST):
            shutil.copyfile(folder / file, bundle / file)
    return parity


def compare(model: Captioner, bundle: Bundle, scenes: int) -> Parity:
    """Captions so many scenes with both."""
    onnx_model = OnnxModel(bundle)
    equal, log_probability, attention = 0, 0.0, 0.0
    for index in range(scenes):
        rng = np.random.default_rng([PARITY, index])
        image = tensor(render(random_scene(rng), rng), bundle)
        expected = search(TorchDecoder(model, image), start=bundle.start, end=bundle.end, beam=BEAM)
        found = search(onnx_model.encode(image), start=bundle.start, end=bundle.end, beam=BEAM)
        if found.words == expected.words:
            equal += 1
            difference = np.abs(np.stack(found.attention) - np.stack(expected.attention)).max()
            attention = max(attention, float(difference))
            log_probability = max(log_probability, abs(found.log_probability - expected.log_probability))
    return Parity(scenes, equal, float(f"{log_probability:.2g}"), float(f"{attention:.2g}"))


class TorchState(NamedTuple):
    """What the LSTM remembers of k beams, both [k, D]."""

    hidden: Tensor
    cell: Tensor


class TorchDecoder:
    """`captioner.beam.Decoder` over the PyTorch model, for one picture, float32 [1, 3, H, W]."""

    @torch.inference_mode()
    def __init__(self, model: Captioner, image: Floats) -> None:
        self._decoder = model.decoder
        self._features = model.encoder(torch.from_numpy(image))
        self._projection = model.decoder.attention.encoder_att(self._features)

    @torch.inference_mode()
    def first(self) -> TorchState:
        return TorchState(*self._decoder.begin(self._features))

    @torch.inference_mode()
    def step(self, words: NDArray[np.int64], state: TorchState) -> Step[TorchState]:
        logits, attention, hidden, cell = self._decoder.step(
            torch.from_numpy(words), state.hidden, state.cell, self._features, self._projection
        )
        return Step(torch.log_softmax(logits, 1).numpy(), attention.numpy(), TorchState(hidden, cell))

    def select(self, state: TorchState, beams: NDArray[np.intp]) -> TorchState:
        return TorchState(state.hidden[beams], state.cell[beams])


class _EncoderGraph(nn.Module):
    def __init__(self, model: Captioner) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        features = self.model.encoder(image)
        # Once a picture and not once a word: the decoder only adds its own part to it.
        projection = self.model.decoder.attention.encoder_att(features)
        return features, projection, *self.model.decoder.begin(features)


class _DecoderGraph(nn.Module):
    def __init__(self, model: Captioner) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(
        self, word: Tensor, hidden: Tensor, cell: Tensor, features: Tensor, projection: Tensor
    ) -> tuple[Tensor, ...]:
        logits, *rest = self.decoder.step(word, hidden, cell, features, projection)
        return torch.log_softmax(logits, 1), *rest


def _graphs(model: Captioner, folder: Path) -> None:
    image = torch.zeros(1, 3, HEIGHT, WIDTH)
    encoder = _EncoderGraph(model).eval()
    _graph(encoder, (image,), folder / ENCODER, ("image",), ENCODER_OUTPUTS, beams=())
    features, projection, hidden, cell = encoder(image)
    word = torch.tensor([INDEX[START]] * BEAM)
    state = hidden.expand(BEAM, -1), cell.expand(BEAM, -1)
    beams = ("word", "hidden", "cell", *DECODER_OUTPUTS)
    decoder = _DecoderGraph(model).eval()
    inputs = (word, *state, features, projection)
    _graph(decoder, inputs, folder / DECODER, DECODER_INPUTS, DECODER_OUTPUTS, beams)


def _graph(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    file: Path,
    input_names: tuple[str, ...],
    output_names: tuple[str, ...],
    beams: tuple[str, ...],
) -> None:
    with warnings.catch_warnings():
        # The new exporter would ask for the package onnxscript; torch is pinned, and this one does all we need.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            inputs,
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes={name: {0: "k"} for name in beams},
        )
    graph = onnx.load(file)
    _halve(graph.graph)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, file)


def _halve(graph: Any) -> None:  # noqa: ANN401 (onnx's messages carry no types)
    """Stores weights as float16, half the bytes; ONNX Runtime turns them back once, when it loads them."""
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < HALF_FROM:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _manifest(model: Captioner, checkpoint: Path) -> dict[str, object]:
    return {
        "format": FORMAT,
        "name": "lambdacap-demo",
        "description": "Says what is on rendered scenes of coloured shapes. A demo: it knows nothing else.",
        "image": {
            "height": HEIGHT,
            "width": WIDTH,
            "resample": "bicubic",
            "mean": list(MEAN),
            "std": list(STD),
        },
        "attention_grid": list(GRID),
        "sizes": asdict(model.sizes),
        "source": {
            "kind": "training",
            "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
            "torch": str(torch.__version__),
        },
    }


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.export", description="Make a bundle of a checkpoint.")
    parser.add_argument("checkpoint", type=Path, help="what demo.train has written")
    parser.add_argument("bundle", type=Path, nargs="?", default=BUNDLE, help="folder (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=200, help="to compare on (default: %(default)s)")
    arguments = parser.parse_args()
    parity = export(arguments.checkpoint, arguments.bundle, arguments.scenes)
    size = sum(file.stat().st_size for file in arguments.bundle.iterdir())
    print(f"{arguments.bundle}: {size / 1e6:.2f} MB, {parity.equal_captions} of {parity.scenes} captions equal")


if __name__ == "__main__":
    main()
