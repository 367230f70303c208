"""`pip install pytest -r requirements.txt`, then `python -m pytest`."""

import json
from pathlib import Path

from predictor import Flat, predict


def test_the_example() -> None:
    flat = Flat(**json.loads(Path("examples/flat.json").read_text("utf-8")))
    assert predict(flat)["rent"] == 890.0


def test_a_balcony_costs() -> None:
    assert predict(Flat(50, 2, balcony=True))["rent"] > predict(Flat(50, 2))["rent"]
