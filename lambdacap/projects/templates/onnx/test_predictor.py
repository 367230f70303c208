"""`pip install pytest -r requirements.txt`, then `python -m pytest`."""

from pathlib import Path

from predictor import predict


def test_the_example() -> None:
    (kind,) = predict(Path("examples/script").read_bytes(), top=1)
    assert kind == "shell"


def test_python_is_known() -> None:
    assert next(iter(predict(Path(__file__).read_bytes()))) == "python"
