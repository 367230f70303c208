"""`pip install pytest -r requirements.txt`, then `python -m pytest`."""

from pathlib import Path

from predictor import Column, predict


def test_the_example() -> None:
    found = predict(Path("examples/people.csv"))
    assert found["name"] == Column(3, None)
    assert found["age"] == Column(2, 38.5)


def test_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("a,b\n", "utf-8")
    assert predict(tmp_path / "empty.csv") == {}
