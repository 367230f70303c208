"""`pip install pytest -r requirements.txt`, then `python -m pytest`."""

from PIL import Image
from predictor import predict


def test_the_example() -> None:
    with Image.open("examples/flag.png") as photo:
        found = predict(photo.convert("RGB"), top=3)
    assert {colour.hex for colour in found} == {"#d01c1f", "#f5f5f0", "#1b3a8f"}


def test_shares_are_all_of_it() -> None:
    (colour,) = predict(Image.new("RGB", (10, 10), "#00ff00"))
    assert (colour.hex, colour.share) == ("#00ff00", 1.0)
