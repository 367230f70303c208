"""Predictors for tests, as authors write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import annotated_types as at
import numpy as np
from msgspec import Meta
from PIL import Image


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


@dataclass
class Marked:
    """A picture within a record."""

    picture: Image.Image
    label: str = "none"


def values(
    count: Annotated[int, "how many", Meta(ge=1, le=10)] = 5,
    share: Annotated[float, at.Interval(ge=0, lt=1)] = 0.5,
    unit: Literal["pixels", "share"] = "pixels",
    colour: Colour = Colour.RED,
    exact: bool = False,
    name: Annotated[str, at.Len(1, 5)] = "a",
    tags: list[str] = [],  # noqa: B006 - as authors do
    start: Point | None = None,
    places: dict[str, Place] = {},  # noqa: B006
) -> dict[str, Any]:
    """All that is no file."""
    return dict(locals())


def picture(photo: Image.Image, mask: Image.Image | None = None, top: int = 3) -> dict[str, Any]:
    """Two pictures."""
    return {"photo": photo.size, "mask": mask.size if mask else None, "mode": photo.mode, "top": top}


def sound(audio: tuple[np.ndarray, int], gain: float = 1.0) -> tuple[np.ndarray, int]:
    """Louder."""
    samples, rate = audio
    return samples * gain, rate


def text(words: str, times: Annotated[int, Meta(ge=1)] = 1) -> str:
    """Says it again."""
    return words * times


def file(document: Path, raw: bytes = b"") -> dict[str, Any]:
    """Any file."""
    return {"name": document.name, "suffix": document.suffix, "size": document.stat().st_size, "raw": len(raw)}


def records(points: list[Point]) -> list[Point]:
    return [Point(point.y, point.x) for point in points]


def marked(items: list[Marked]) -> list[dict[str, Any]]:
    return [{"label": item.label, "size": item.picture.size} for item in items]


def sepia(image: Image.Image) -> Image.Image:
    return image.convert("L")


def parts(words: str) -> Iterator[str]:
    yield from words.split()


def old(image, options):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    return {"size": image.size, "options": dict(options)}


def typed_old(image: Image.Image, options: Mapping[str, str]) -> dict[str, Any]:
    return {"size": image.size, "options": dict(options)}


@dataclass
class Nested:
    inner: list[Point] = field(default_factory=list)


def module(predict: Any, **more: Any) -> Any:  # noqa: ANN401 - a module, as far as anybody can tell
    """A predictor's module with this function."""
    return SimpleNamespace(__name__="predictor", __doc__="Tests things.\n\nAt length.", predict=predict, **more)
