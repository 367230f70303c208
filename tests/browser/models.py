"""Predictors of many kinds, as their authors would write them, and a server that hands requests to the handler."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from tests.function_process import function_process
from tests.servers import Asked, Handler, Reply, listening

BOXES = '''
"""Finds the brightest spots."""
from dataclasses import dataclass
from typing import Annotated, Literal
from msgspec import Meta
from PIL import Image

@dataclass
class Box:
    label: str
    score: float
    x: float
    y: float
    width: float
    height: float

def predict(photo: Image.Image, top: Annotated[int, "how many", Meta(ge=1, le=10)] = 2,
            units: Literal["pixels", "share"] = "pixels") -> list[Box]:
    """Boxes around what it takes for something."""
    w, h = photo.size if units == "pixels" else (1, 1)
    return [Box(f"<b>spot</b> {i}", 0.9 - i / 10, w * i / 10, h / 4, w / 5, h / 5) for i in range(top)]
'''
SOUND = '''
"""Says where sound is."""
import numpy as np

def predict(audio: tuple[np.ndarray, int], threshold: float = 0.1) -> list[dict[str, float]]:
    samples, rate = audio
    return [{"start": 0.0, "end": round(len(samples) / rate, 3), "loudest": float(np.abs(samples).max())}]
'''
TEXT = '''
"""Tells moods apart."""
def predict(words: str, exact: bool = False) -> dict[str, float]:
    """How likely it is which mood."""
    if not words.strip():
        raise ValueError("words: say something")
    return {"glad": 0.75, "sad": 0.25 if exact else 0.2}
'''
PICTURES = '''
"""Blends two pictures."""
from typing import Annotated
from msgspec import Meta
from PIL import Image

def predict(first: Image.Image, second: Image.Image, share: Annotated[float, Meta(ge=0, le=1)] = 0.5) -> Image.Image:
    return Image.blend(first, second.resize(first.size), share)
'''
RECORDS = '''
"""Names flowers."""
from dataclasses import dataclass

@dataclass
class Flower:
    petal: float
    sepal: float = 1.0

def predict(flowers: list[Flower]) -> list[str]:
    return ["<i>setosa</i>" if flower.petal < 2 else "virginica" for flower in flowers]
'''
VECTORS = '''
"""Turns lines into vectors."""
def predict(texts: list[str]) -> list[list[float]]:
    return [[float(ord(c) % 7) for c in (text * 8)[:8]] for text in texts]
'''
PARTS = '''
"""Says one word after the other."""
from collections.abc import Iterator

def predict(words: str) -> Iterator[str]:
    yield from words.split()
'''
TABLE = '''
"""Counts."""
def predict(rows: int = 3) -> list[dict[str, str | int]]:
    return [{"name": f"<script>{i}", "value, in m": i} for i in range(rows)]
'''


@contextmanager
def served(source: str, folder: Path) -> Iterator[str]:
    """The address at which the handler answers with the predictor of that source."""
    predictor = folder / "model_of_a_test.py"
    predictor.write_text(source, "utf-8")
    with function_process(predictor=predictor) as function:
        turn = Lock()  # as on Lambda, where a process has one event at a time

        class Api(Handler):
            def respond(self, asked: Asked) -> None:
                place = urlsplit(asked.path)
                event = {
                    "httpMethod": asked.method,
                    "path": place.path,
                    "headers": asked.headers,
                    "multiValueQueryStringParameters": parse_qs(place.query, keep_blank_values=True),
                    "body": b64encode(asked.body).decode(),
                    "isBase64Encoded": True,
                }
                with turn:
                    answer = function.invoke(event).answer
                body = b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
                self.send(Reply(answer["statusCode"], list(answer["headers"].items()), body))

        with listening(Api) as url:
            yield f"{url}/"
