"""The bundle's two graphs as ONNX Runtime sessions.

- `encoder.onnx`: `image` float32 [1, 3, H, W] → `features` [1, F, C], `projection` [1, P, A], `hidden` [1, D],
  `cell` [1, D].
- `decoder.onnx`: `word` int64 [k], `hidden` [k, D], `cell` [k, D], `features`, `projection` →
  `log_probabilities` [k, V], `attention` [k, P], `hidden_next` [k, D], `cell_next` [k, D].

`features` and `projection` go from one to the other unseen. Where the processor has AVX-512, `encoder.avx512.onnx`
and `decoder.avx512.onnx` take their places if the bundle has them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from captioner.beam import Floats, Step
from captioner.bundle import AVX512, DECODER, ENCODER, Bundle, BundleError
from captioner.processor import has_avx512
from captioner.threads import threads

ENCODER_OUTPUTS = ("features", "projection", "hidden", "cell")
DECODER_INPUTS = ("word", "hidden", "cell", "features", "projection")
DECODER_OUTPUTS = ("log_probabilities", "attention", "hidden_next", "cell_next")


class OnnxModel:
    """Both sessions, loaded once; raises `BundleError` when a graph is not what the contract says.

    `avx512`: whether to take the forms for that, if there are some; None asks the processor.
    """

    def __init__(self, bundle: Bundle, *, avx512: bool | None = None) -> None:
        avx512 = has_avx512() if avx512 is None else avx512
        encoder, decoder = (graph_file(bundle, file, avx512=avx512) for file in (ENCODER, DECODER))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads(os.environ, os.cpu_count())
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors: the optimiser's warnings are no news to whoever runs this
        # Two sessions are two pools: were they to spin while idle, they would fight for the same CPUs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if bundle.optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.encoder = _session(bundle, encoder, options, {"image"}, ENCODER_OUTPUTS)
        self.decoder = _session(bundle, decoder, options, set(DECODER_INPUTS), DECODER_OUTPUTS)
        self._check_shapes(bundle, encoder, decoder)

    def encode(self, image: Floats) -> OnnxDecoder:
        """Encodes a picture, float32 [1, 3, H, W], and gives the decoder that talks about it."""
        features, projection, hidden, cell = self.encoder.run(ENCODER_OUTPUTS, {"image": image})
        return OnnxDecoder(self.decoder, features, projection, LstmState(hidden, cell))

    def _check_shapes(self, bundle: Bundle, encoder: str, decoder: str) -> None:
        # A bundle put together from two models loads well and then fails at the first photo: say it at the
        # start.
        image = self.encoder.get_inputs()[0].shape
        outputs = {output.name: output.shape for output in self.decoder.get_outputs()}
        rows, columns = bundle.grid
        for file, what, found, expected in (
            (encoder, "image rows", image[2], bundle.height),
            (encoder, "image columns", image[3], bundle.width),
            (decoder, "words", outputs["log_probabilities"][1], len(bundle.words)),
            (decoder, "attention points", outputs["attention"][1], rows * columns),
        ):
            if isinstance(found, int) and found != expected:
                raise BundleError(f"{bundle.folder / file} has {found} {what}, the bundle says {expected}")


def graph_file(bundle: Bundle, file: str, *, avx512: bool) -> str:
    """The name of the file that takes the place of `file` on a processor with or without AVX-512."""
    return AVX512[file] if avx512 and (bundle.folder / AVX512[file]).is_file() else file


class LstmState(NamedTuple):
    """What an LSTM remembers of k beams, both [k, D]."""

    hidden: Floats
    cell: Floats


class OnnxDecoder:
    """`beam.Decoder` over `decoder.onnx` for one picture."""

    def __init__(
        self, session: onnxruntime.InferenceSession, features: Floats, projection: Floats, state: LstmState
    ) -> None:
        self._session = session
        self._picture = {"features": features, "projection": projection}
        self._first = state

    def first(self) -> LstmState:
        return self._first

    def step(self, words: NDArray[np.int64], state: LstmState) -> Step[LstmState]:
        inputs = {"word": words, "hidden": state.hidden, "cell": state.cell, **self._picture}
        log_probabilities, attention, hidden, cell = self._session.run(DECODER_OUTPUTS, inputs)
        return Step(log_probabilities, attention, LstmState(hidden, cell))

    def select(self, state: LstmState, beams: NDArray[np.intp]) -> LstmState:
        return LstmState(state.hidden[beams], state.cell[beams])


def _session(
    bundle: Bundle,
    file: str,
    options: onnxruntime.SessionOptions,
    inputs: set[str],
    outputs: tuple[str, ...],
) -> onnxruntime.InferenceSession:
    path = bundle.folder / file
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise BundleError(f"{path} does not load: {error}") from error
    if {i.name for i in session.get_inputs()} != inputs:
        raise BundleError(f"{path} takes {[i.name for i in session.get_inputs()]}, expected {sorted(inputs)}")
    missing = set(outputs) - {o.name for o in session.get_outputs()}
    if missing:
        raise BundleError(f"{path} lacks the outputs {sorted(missing)}")
    return session
