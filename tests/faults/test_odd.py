"""A few commands whose answers are spoilt; `python -m tests.faults.odd` takes as many steps as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.matrix import benches
from tests.faults.odd import run

STEPS, SEED = 40, 2026


@pytest.mark.slow
@pytest.mark.usefixtures("no_engine")
def test_odd_answers_are_sentences_and_nothing_is_lost(tmp_path: Path) -> None:
    with benches(tmp_path, 1) as made:
        oddities = run(made[0], range(SEED, SEED + STEPS))
    assert oddities.failed == []
    assert oddities.counted.total() == STEPS
    assert {words.partition(" ")[2] for words in oddities.counted} == {"through", "a sentence"}
