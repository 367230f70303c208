"""From a picture to a caption: preprocess, encode, search, words."""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from captioner.beam import candidates
from captioner.bundle import END, PAD, START, UNKNOWN, Bundle
from captioner.preprocess import tensor

if TYPE_CHECKING:
    from PIL import Image

    from captioner.beam import Decoder, Floats, Found

# The published captioner drops all but <unk>. It stands for a word that the model does not know: nothing to
# show.
UNSAID = frozenset((PAD, UNKNOWN, START, END))

CANDIDATE_MARGIN = math.log(1000)
"""Natural logarithm: who asks for candidates waits for those that may still be a thousandth as likely as the best,
and not for a hopeless beam's fiftieth word."""


class Model(Protocol):
    """A backend, loaded: what computes."""

    def encode(self, image: Floats) -> Decoder[Any]:
        """Encodes a picture, float32 [1, 3, H, W], and gives the decoder that talks about it."""


class Captioner:
    """A bundle and its loaded graphs. Not safe for several threads: Lambda sends one event at a time."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.model = load_model(bundle)
        self.measured: dict[str, object] = {}  # of the last caption: see `captioner.measured`

    def caption(self, image: Image.Image, *, beam: int, attention: bool, others: bool = False) -> dict[str, object]:
        """The likeliest caption of a beam of that size (1 or more), in the form of `captioner.predict`."""
        bundle = self.bundle
        started = perf_counter()
        decoder = self.model.encode(tensor(image, bundle))
        encoded = perf_counter()
        margin = CANDIDATE_MARGIN if others else 0.0
        found = candidates(decoder, start=bundle.start, end=bundle.end, beam=beam, margin=margin)
        ended = perf_counter()
        answer = {**self._sentence(found[0]), "model": bundle.name}
        self.measured = {
            "encode_ms": round(1e3 * (encoded - started), 1),
            "beam_ms": round(1e3 * (ended - encoded), 1),
            "words": len(self._said(found[0])),
        }
        if attention:
            answer["attention"] = [self._grid(grid) for _, grid in self._said(found[0])]
        if others:
            # Beams that differ in what is not said are one candidate: the likelier, which comes first.
            distinct: dict[object, dict[str, object]] = {}
            for one in found:
                sentence = self._sentence(one)
                distinct.setdefault(sentence["caption"], sentence)
            answer["candidates"] = list(distinct.values())
        return answer

    def _sentence(self, found: Found) -> dict[str, object]:
        words = [word for word, _ in self._said(found)]
        return {"caption": " ".join(words), "words": words, "log_probability": round(found.log_probability, 4)}

    def _said(self, found: Found) -> list[tuple[str, Floats]]:
        pairs = [(self.bundle.words[index], grid) for index, grid in zip(found.words, found.attention, strict=True)]
        return [(word, grid) for word, grid in pairs if word not in UNSAID]

    def _grid(self, attention: Floats) -> list[list[float]]:
        # Four digits are finer than any screen shows, and keep 50 words' grids in some 100 kB.
        rows: list[list[float]] = attention.astype(float).round(4).reshape(self.bundle.grid).tolist()
        return rows


def load_model(bundle: Bundle) -> Model:
    """The bundle's model, by the runtime that it names. Raises `BundleError`."""
    # Imported here: whoever has the one runtime need not have the other, and importing torch takes seconds.
    if bundle.runtime == "torch":
        from captioner.torch_backend import TorchModel

        return TorchModel.load(bundle)
    from captioner.onnx_backend import OnnxModel

    return OnnxModel(bundle)
