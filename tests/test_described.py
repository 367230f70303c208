"""A deployed API keeps what its description says: schemathesis sends what is right and what is wrong by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import without_engine
from tests.predictors import standing

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
VALUES = '''
"""Values of every kind."""
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from msgspec import Meta

class Colour(Enum):
    RED = "red"
    BLUE = "blue"

@dataclass
class Point:
    x: float
    y: float = 0.0

class Place(TypedDict):
    name: str
    points: list[Point]
    note: NotRequired[str]

def predict(
    count: Annotated[int, "how many", Meta(ge=1, le=10)] = 5,
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.5,
    unit: Literal["pixels", "share"] = "pixels",
    colour: Colour = Colour.RED,
    exact: bool = False,
    name: Annotated[str, Meta(min_length=1, max_length=5)] = "a",
    tags: list[str] = [],
    numbers: list[int] = [],
    start: Point | None = None,
    places: dict[str, Place] = {},
    pair: tuple[int, str] = (1, "a"),
) -> dict[str, Any]:
    """All that is no file."""
    return dict(locals())
'''
RECORDS = '''
"""Labels rows."""
from dataclasses import dataclass
from typing import Annotated, Literal
from msgspec import Meta

@dataclass
class Row:
    name: str
    size: float = 0.0

def predict(rows: list[Row], top: Annotated[int, Meta(ge=1, le=10)] = 3, unit: Literal["cm", "in"] = "cm") -> list[Row]:
    return rows
'''
TEXT = '''
"""Says it again."""
from typing import Annotated
from msgspec import Meta

def predict(words: str, times: Annotated[int, Meta(ge=0, le=3)] = 1) -> str:
    return words * times
'''
FILES = '''
"""Any file."""
from pathlib import Path

def predict(document: Path, top: int = 3) -> dict[str, int]:
    return {"size": document.stat().st_size, "top": top}
'''
PICTURES = '''
"""Turns a photo around."""
from PIL import Image

def predict(photo: Image.Image, mask: Image.Image | None = None, strength: float = 1.0) -> Image.Image:
    return photo.rotate(180)
'''


@pytest.fixture(scope="module")
def home(cloud_home: Path) -> Iterator[Path]:
    with without_engine():
        yield cloud_home


@pytest.mark.slow
@pytest.mark.parametrize("predictor", [VALUES, RECORDS, TEXT, FILES, PICTURES], ids=range(5))
def test_nothing_is_found(predictor: str, home: Path, tmp_path: Path, name: str) -> None:
    with standing(name, predictor, home, tmp_path) as (_, url):
        # No schema says that bytes are a picture, or text base64.
        unsaid = ",positive_data_acceptance" if predictor in (FILES, PICTURES) else ""
        done = subprocess.run(
            [
                *(SCHEMATHESIS, "run", f"{url}openapi.json", "--url", url, "--phases", "examples,coverage,fuzzing"),
                *("--exclude-checks", f"unsupported_method{unsaid}", "--generation-deterministic"),
                *("--max-examples", "30", "--continue-on-failure", "--no-color", "--warnings", "off"),
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=250,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr
        # What the gateway says of methods that it does not know: as AWS does, and no schema can say so.
        assert requests.request("TRACE", url, timeout=10).status_code == 403
