"""The bundle that ships, through the same door as a user's photo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captioner.bundle import Bundle
from captioner.caption import Captioner
from PIL import Image

IMAGE = Path(__file__).resolve().parents[2] / "image"


@pytest.fixture(scope="module")
def demo() -> Captioner:
    return Captioner(Bundle.load(IMAGE / "demo" / "bundle"))


@pytest.mark.parametrize("beam", [1, 3, 10])
def test_it_says_something_and_says_where_it_looked(demo: Captioner, scene: Image.Image, beam: int) -> None:
    answer = demo.caption(scene, beam=beam, attention=True)
    words, grids = answer["words"], np.array(answer["attention"])
    assert isinstance(words, list)
    assert words
    assert set(words) <= set(demo.bundle.words)
    assert grids.shape == (len(words), *demo.bundle.grid)
    np.testing.assert_allclose(grids.sum(axis=(1, 2)), 1, atol=grids[0].size * 5e-5 + 1e-3)


def test_it_is_what_a_fresh_handler_serves(
    post: Callable[..., dict[str, Any]], encode: Callable[..., bytes], scene: Image.Image, demo: Captioner
) -> None:
    environ = {k: v for k, v in os.environ.items() if k not in ("MODEL_DIR", "PREDICTOR")}
    code = "import json, sys; from handler import handler; print(json.dumps(handler(json.load(sys.stdin), None)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(post(encode(scene, "PNG"), "image/png")),
        env=environ | {"PYTHONPATH": str(IMAGE), "MODEL_DIR": str(demo.bundle.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == demo.caption(scene, beam=3, attention=False)
