"""A large photo says the same after the client's hand: upright, shrunk, without EXIF."""

from __future__ import annotations

from pathlib import Path

import captioner
import pytest

from tests.benchmarks.shrunk import pairs

SCENES = 6


@pytest.mark.slow
def test_captions_of_large_photos_stay(tmp_path: Path) -> None:
    captioner.setup(None)
    found = list(pairs(SCENES, tmp_path))
    assert [pair.captions[1] for pair in found] == [pair.captions[0] for pair in found]
    assert sum(pair.captions[1] == pair.scene.caption() for pair in found) >= SCENES - 1
    for pair in found:
        assert pair.bytes[1] < pair.bytes[0] / 3
