"""A sample of the fault matrix; `make faults` tries out all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.matrix import LOST, benches, cases, run_all, sample, table
from tests.faults.proxy import FAULTS

CASES, SEED = 18, 2026


@pytest.mark.usefixtures("no_engine")
def test_nothing_gets_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with benches(tmp_path, 1) as made:
        calls = made[0].learn()
        outcomes = run_all(made, sample(cases(calls), CASES, SEED))
    with capsys.disabled():
        print(f"\n{table(calls, outcomes)}")
    assert [f"{outcome.case}\n{outcome.story}" for outcome in outcomes if outcome.fate == LOST] == []
    assert len(outcomes) == CASES
    assert {outcome.case.kind for outcome in outcomes} == set(FAULTS)
