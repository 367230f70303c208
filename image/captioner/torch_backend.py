"""The plain PyTorch way behind the same seam: for models that do not export, and as the reference.

Weights lie in `weights.safetensors`, which holds tensors and no code: https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# Threads that spin while they wait take the CPU from those that they wait for, wherever fewer CPUs are granted than
# seen: minutes instead of seconds beside another busy process. Has to come before torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from captioner.beam import Floats, Step
from captioner.bundle import WEIGHTS, Bundle, BundleError
from captioner.threads import threads
from captioner.torch_network import GRID, Network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

State = tuple["Tensor", "Tensor"]  # hidden and cell, both [k, D]


class TorchModel:
    """The network in inference mode: no gradient is kept of anything."""

    def __init__(self, network: Network) -> None:
        torch.set_num_threads(threads(os.environ, os.cpu_count()))
        self.network = network

    @classmethod
    def load(cls, bundle: Bundle) -> TorchModel:
        """The bundle's network. Raises `BundleError` when its weights are none or do not fit."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = bundle.folder / WEIGHTS
        try:
            network = Network.loaded(load_file(path))
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise BundleError(f"{path} does not load: {error}") from error
        words = network.layout.vocabulary
        if words != len(bundle.words):
            raise BundleError(f"{path} has {words} words, the bundle says {len(bundle.words)}")
        if bundle.grid != (GRID, GRID):
            raise BundleError(f"{path} has an attention of {GRID} × {GRID} points, the bundle says {bundle.grid}")
        return cls(network)

    @torch.inference_mode()
    def encode(self, image: Floats) -> TorchDecoder:
        """Encodes a picture, float32 [1, 3, H, W], and gives the decoder that talks about it."""
        features = self.network.encoder(torch.from_numpy(image))
        return TorchDecoder(self.network, features)


class TorchDecoder:
    """`beam.Decoder` over the network's decoder for one picture, whose features are [1, P, C]."""

    @torch.inference_mode()
    def __init__(self, network: Network, features: Tensor) -> None:
        self._decoder = network.decoder
        self._features = features
        self._projection = self._decoder.attention.encoder_att(features)  # says the same at every word
        self._first = self._decoder.begin(features)

    def first(self) -> State:
        return self._first

    @torch.inference_mode()
    def step(self, words: NDArray[np.int64], state: State) -> Step[State]:
        log_probabilities, attention, hidden, cell = self._decoder.step(
            torch.from_numpy(words), *state, self._features, self._projection
        )
        return Step(log_probabilities.numpy(), attention.numpy(), (hidden, cell))

    def select(self, state: State, beams: NDArray[np.intp]) -> State:
        chosen = torch.from_numpy(beams)
        return state[0][chosen], state[1][chosen]
