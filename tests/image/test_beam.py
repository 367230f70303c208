"""The search against the published algorithm, written out as plainly as it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from captioner.beam import Found, Step, candidates, search
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

START, END = -2, -1  # counted from the vocabulary's end


@dataclass
class Table:
    """A decoder whose state is a number: the row of a table that says what comes next."""

    rows: NDArray[np.float32]  # [N, V]
    steps: int = 0

    @property
    def vocabulary(self) -> int:
        return int(self.rows.shape[1])

    def after(self, state: int, word: int) -> int:
        return (7 * state + 3 * word + 1) % len(self.rows)

    def first(self) -> NDArray[np.int64]:
        return np.zeros(1, np.int64)

    def step(self, words: NDArray[np.int64], state: NDArray[np.int64]) -> Step[NDArray[np.int64]]:
        self.steps += 1
        rows = np.array([self.after(int(s), int(w)) for s, w in zip(state, words, strict=True)], np.int64)
        attention = np.stack([rows, words], axis=1).astype(np.float32)
        return Step(self.rows[rows], attention, rows)

    def select(self, state: NDArray[np.int64], beams: NDArray[np.intp]) -> NDArray[np.int64]:
        return state[beams]


Said = tuple[list[int], list[tuple[float, float]], float, bool]


def published(table: Table, beam: int, steps: int) -> list[Said]:
    """`caption_image_beam_search`, with every beam, every word and every step spelled out; the best comes first."""
    start, end = table.vocabulary + START, table.vocabulary + END
    k = min(beam, table.vocabulary)
    live: list[dict[str, Any]] = [{"words": [start], "seen": [], "score": np.float32(0), "state": 0} for _ in range(k)]
    complete: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        scored = []
        for parent, one in enumerate(live if step > 1 else live[:1]):
            row = table.after(one["state"], one["words"][-1])
            scored += [(one["score"] + table.rows[row, word], parent, word, row) for word in range(table.vocabulary)]
        scored.sort(key=lambda entry: -entry[0])  # stable: equal scores stay in the order of (beam, word)
        grown = [
            {
                "words": [*live[parent]["words"], word],
                "seen": [*live[parent]["seen"], (row, live[parent]["words"][-1])],
                "score": score,
                "state": row,
            }
            for score, parent, word, row in scored[:k]
        ]
        complete += [one for one in grown if one["words"][-1] == end]
        live = [one for one in grown if one["words"][-1] != end]
        k = len(live)
        if k == 0:
            break
    kept = sorted(complete or live, key=lambda one: -one["score"])
    return [(one["words"][1:], one["seen"], float(one["score"]), bool(complete)) for one in kept]


def said(found: Found) -> Said:
    seen = [(float(row), float(word)) for row, word in found.attention]
    return found.words, seen, found.log_probability, found.ended


def agree(table: Table, beam: int, steps: int) -> None:
    start, end = table.vocabulary + START, table.vocabulary + END
    expected = published(table, beam, steps)
    assert said(search(table, start=start, end=end, beam=beam, steps=steps)) == expected[0]
    for margin in (0.0, 1.5, float("inf")):
        found = candidates(table, start=start, end=end, beam=beam, steps=steps, margin=margin)
        assert said(found[0]) == expected[0]
        # What the search knows by then is the published list without its tail, down to the margin at least.
        known = [said(one) for one in found]
        assert [one for one in expected if one in known] == known
        least = expected[0][2] - margin
        assert [one for one in expected if one[2] > least] == [one for one in known if one[2] > least]


# Quarters are exact in float32, so many totals are equal: ties are the rule and not the exception.
coarse = st.integers(-16, 0).map(lambda quarters: quarters / 4)
fine = st.floats(-20, 0, width=32)
impossible = st.just(float("-inf"))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    words = draw(st.integers(2, 14))
    states = draw(st.integers(1, 6))
    value = draw(st.sampled_from([coarse, fine, st.one_of(coarse, impossible)]))
    cells = draw(st.lists(value, min_size=words * states, max_size=words * states))
    return Table(np.array(cells, np.float32).reshape(states, words))


@settings(max_examples=600, deadline=None)
@given(tables(), st.integers(1, 10), st.integers(1, 12))
def test_every_search_ends_as_the_published_one(table: Table, beam: int, steps: int) -> None:
    agree(table, beam, steps)


@pytest.mark.parametrize("beam", range(1, 11))
def test_a_vocabulary_of_real_size(beam: int) -> None:
    rng = np.random.default_rng(beam)
    logits = rng.normal(size=(12, 400)).astype(np.float32) * 3
    logits[:, END] += 4
    agree(Table(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))), beam, 50)


def test_stops_as_soon_as_nothing_can_win() -> None:
    table = Table(np.array([[-9, -9, -0.25]], np.float32))
    found = search(table, start=1, end=2, beam=2)
    assert (found.words, found.ended, table.steps) == ([2], True, 1)


def test_without_an_end_the_best_unfinished_caption_is_the_answer() -> None:
    table = Table(np.array([[-0.5, -1, float("-inf")]], np.float32))
    found = search(table, start=1, end=2, beam=2)
    assert (found.words, found.ended, table.steps) == ([0] * 50, False, 50)
    assert found.log_probability == -25


def test_candidates_take_the_steps_that_the_margin_allows() -> None:
    # After 0 comes 0 or the end, both a quarter each: one beam of three ends with every step, the last one never.
    table = Table(np.array([[-0.25, -9, -0.25]], np.float32))
    for margin, known, steps in ((0.0, 1, 1), (0.25, 2, 2), (0.5, 2, 3), (float("inf"), 2, 50)):
        table.steps = 0
        found = candidates(table, start=1, end=2, beam=3, margin=margin)
        assert (len(found), table.steps) == (known, steps), margin


def test_a_model_that_says_nan_is_an_error_and_not_a_caption() -> None:
    with pytest.raises(ArithmeticError, match="not numbers"):
        search(Table(np.full((1, 4), np.nan, np.float32)), start=2, end=3)
