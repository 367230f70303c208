"""`pip install pytest -r requirements.txt`, then `python -m pytest`."""

from PIL import Image
from predictor import predict, setup


def test_the_example() -> None:
    setup()
    with Image.open("examples/square.png") as photo:
        edges = predict(photo.convert("RGB"))
    assert edges.size == photo.size
    assert edges.getpixel((32, 32)) == 0  # inside
    assert edges.getpixel((16, 32)) == 255  # at the border
