"""A short random walk; `make faults` takes a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.matrix import benches
from tests.faults.walk import walk


@pytest.mark.usefixtures("no_engine")
def test_the_account_is_as_empty_as_before(tmp_path: Path) -> None:
    with benches(tmp_path, 1) as made:
        taken = walk(made[0], steps=10, walks=1, number=5)
    assert taken["teardown"] >= 1
