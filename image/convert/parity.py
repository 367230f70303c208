"""Do two models say the same? Captions, their log-probabilities and where each word looked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from captioner.beam import Found, search
from captioner.preprocess import tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from captioner.bundle import Bundle
    from captioner.caption import Model
    from PIL import Image

BEAM = 3
SHOWN = 5  # different captions that the report spells out


@dataclass(frozen=True, slots=True)
class Parity:
    """How near a model comes to the reference on a set of pictures.

    `distinct`: how many different captions the reference had; equal captions mean little where all are one.
    Differences of log-probability are of whole captions, natural logarithm; those of attention are shares of 1
    at single points, over the words of equal captions. `differing`: pairs of captions, the reference's first.
    """

    pictures: int
    beam: int
    equal: int
    distinct: int
    log_probability_mean: float
    log_probability_max: float
    attention_max: float
    differing: list[tuple[str, str]] = field(default_factory=list)

    def data(self) -> dict[str, object]:
        """For `model.json`."""
        return {
            "pictures": self.pictures,
            "beam": self.beam,
            "equal_captions": self.equal,
            "distinct_captions": self.distinct,
            "log_probability_difference": {
                "mean": float(f"{self.log_probability_mean:.2g}"),
                "max": float(f"{self.log_probability_max:.2g}"),
            },
            "attention_difference": {"max": float(f"{self.attention_max:.2g}")},
            "differing": [{"reference": one, "bundle": other} for one, other in self.differing[:SHOWN]],
        }


def compare(
    reference: Sequence[Found], candidate: Sequence[Found], words: Sequence[str], *, beam: int = BEAM
) -> Parity:
    """Compares the captions that two models found for the same pictures."""
    pairs = list(zip(reference, candidate, strict=True))
    log_probabilities = [abs(one.log_probability - other.log_probability) for one, other in pairs]
    equal = [(one, other) for one, other in pairs if one.words == other.words]
    attention = [float(np.abs(np.subtract(one.attention, other.attention)).max()) for one, other in equal]

    def said(found: Found) -> str:
        return " ".join(words[index] for index in found.words)

    return Parity(
        pictures=len(pairs),
        beam=beam,
        equal=len(equal),
        distinct=len({tuple(one.words) for one in reference}),
        log_probability_mean=float(np.mean(log_probabilities)),
        log_probability_max=max(log_probabilities),
        attention_max=max(attention, default=0.0),
        differing=[(said(one), said(other)) for one, other in pairs if one.words != other.words],
    )


def captions(
    model: Model,
    bundle: Bundle,
    pictures: Sequence[Image.Image],
    *,
    beam: int = BEAM,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Found]:
    """What a model finds for each picture; `progress` hears how many are done."""
    found = []
    for picture in pictures:
        decoder = model.encode(tensor(picture, bundle))
        found.append(search(decoder, start=bundle.start, end=bundle.end, beam=beam))
        progress(len(found))
    return found
