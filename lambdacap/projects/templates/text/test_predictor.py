"""`pip install pytest -r requirements.txt`, then `python -m pytest`."""

from pathlib import Path

from predictor import predict


def test_the_example() -> None:
    assert predict(Path("examples/waves.txt").read_text("utf-8"), top=2) == {"waves": 3, "wind": 2}


def test_short_words_are_left_out() -> None:
    assert predict("the and of") == {}
