"""Beam search, word for word as the published captioner does it.

After `caption_image_beam_search` of https://github.com/sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning: a
beam that ends is set aside and the beam narrows by one; the best total log-probability wins, and captions are
not normalised by length. Nothing is masked: the search may choose `<unk>`, `<pad>` and `<start>` like any
word.

What differs, and why no caption changes:
- The first step asks for one row, since all k rows of the published first step are equal.
- The search stops once the best ended beam beats every live one: log-probabilities are ≤ 0, so totals only
  fall. Who wants to know the others, too, lets it go on: see `candidates`.
- If no beam ended after the last step, the best live one is the answer (the published code raises an error).
- Equal totals go to the lowest (beam, word): the published order is whatever torch's `topk` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 50

Floats = NDArray[np.float32]
State = TypeVar("State")


class Step(NamedTuple, Generic[State]):
    """What the decoder says after one word of each of k live beams."""

    log_probabilities: Floats  # [k, V], natural logarithms
    attention: Floats  # [k, P]
    state: State


class Decoder(Protocol[State]):
    """One step of a captioner's decoder; the state's shape is its own business."""

    def first(self) -> State:
        """The state of one beam, before any word."""

    def step(self, words: NDArray[np.int64], state: State) -> Step[State]:
        """Feeds one word [k] to each of k beams."""

    def select(self, state: State, beams: NDArray[np.intp]) -> State:
        """The state whose row i is row `beams[i]` of `state`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A caption as word indices without `<start>`, and what each word cost."""

    words: list[int]  # [n]; the last is <end>, unless the search ran out of steps
    attention: list[Floats]  # [n] of [P], where the model looked for each word
    log_probability: float  # natural logarithm of the whole caption's probability
    ended: bool


class _Beam(NamedTuple):
    words: tuple[int, ...]
    attention: tuple[Floats, ...]


def search(decoder: Decoder[State], *, start: int, end: int, beam: int = 3, steps: int = MAX_STEPS) -> Found:
    """Finds the likeliest caption among those that a beam of `beam` ≥ 1 sees in `steps` ≥ 1 steps."""
    return candidates(decoder, start=start, end=end, beam=beam, steps=steps, margin=0.0)[0]


def candidates(
    decoder: Decoder[State], *, start: int, end: int, beam: int, margin: float, steps: int = MAX_STEPS
) -> list[Found]:
    """All captions that the search saw end, the likeliest first; if none ended, the live ones.

    `margin` ≥ 0 (natural logarithm) is how far it looks: it goes on until no live beam is within `margin` of
    the best ended one. 0 finds the best and no step more; with any margin the first is the same.
    """
    live = [_Beam((), ())]
    totals = np.zeros(1, np.float32)
    width = beam
    words = np.array([start], np.int64)
    state = decoder.first()
    found: list[Found] = []
    for _ in range(steps):
        log_probabilities, attention, state = decoder.step(words, state)
        vocabulary = log_probabilities.shape[1]
        scores = (totals[:, np.newaxis] + log_probabilities).ravel()
        width = min(width, vocabulary)  # where words are fewer, the published code raises an error
        chosen = _largest(scores, width)
        parents, words = np.divmod(chosen, vocabulary)
        totals = scores[chosen]
        live = [
            _Beam((*live[parent].words, int(word)), (*live[parent].attention, attention[parent]))
            for parent, word in zip(parents, words, strict=True)
        ]
        ended = words == end
        found += [_found(live[index], totals[index], ended=True) for index in np.flatnonzero(ended)]
        going = np.flatnonzero(~ended)
        width = len(going)
        if width == 0 or (found and max(one.log_probability for one in found) - margin >= totals[going[0]]):
            break
        live = [live[index] for index in going]
        totals, words = totals[going], words[going]
        state = decoder.select(state, parents[going])
    if not found:
        found = [_found(one, total, ended=False) for one, total in zip(live, totals, strict=True)]
    # Stable: an equal one that came later loses, as in list.index(max(…)).
    return sorted(found, key=lambda one: -one.log_probability)


def _found(beam: _Beam, total: np.float32, *, ended: bool) -> Found:
    return Found(list(beam.words), list(beam.attention), float(total), ended)


def _largest(scores: Floats, count: int) -> NDArray[np.intp]:
    """Indices of the `count` largest, falling; equal ones in the order of their indices.

    A stable sort of all V × k scores would take as long as the decoder's step; this partitions and sorts a
    handful.
    """
    threshold = np.partition(scores, scores.size - count)[scores.size - count]
    if np.isnan(threshold):
        raise ArithmeticError("the decoder's log-probabilities are not numbers")
    contenders = np.flatnonzero(scores >= threshold)
    order = np.argsort(-scores[contenders], kind="stable")
    return contenders[order[:count]]
