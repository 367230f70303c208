"""Pictures to compare two models on: made here, or the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from convert.errors import ConvertError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))
WIDTH, HEIGHT = 320, 240


def synthetic(count: int, *, seed: int = 0) -> list[Image.Image]:
    """`count` RGB pictures of 320 × 240 pixels: soft clouds of colour, with hard-edged shapes and grain.

    No photos, but as photos they have all scales in them. Equal for equal seeds.
    """
    return [_picture(np.random.default_rng([seed, index])) for index in range(count)]


def from_folder(folder: Path, *, limit: int = 200) -> list[Image.Image]:
    """The first `limit` pictures in `folder`, by name, upright and RGB. Raises `ConvertError` if there is none."""
    from serving.seen import as_seen

    if not folder.is_dir():
        raise ConvertError(f"{folder} is no folder", hint="Name a folder with pictures in it.")
    pictures = []
    for file in sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)[:limit]:
        try:
            with Image.open(file) as image:
                pictures.append(as_seen(image))
        except OSError as error:
            raise ConvertError(f"{file} is no picture that can be read: {error}") from error
    if not pictures:
        raise ConvertError(f"{folder} holds no pictures", hint=f"Read are {', '.join(sorted(SUFFIXES))}.")
    return pictures


def _picture(rng: np.random.Generator) -> Image.Image:
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for cells in (2, 5, 11):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        canvas += np.asarray(noise.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32) / cells
    canvas *= 255 / max(1.0, float(canvas.max()))
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    for _ in range(int(rng.integers(2, 7))):
        centre, radii = rng.uniform(0.1, 0.9, 2) * (HEIGHT, WIDTH), rng.uniform(15, 80, 2)
        away = np.abs(rows - centre[0]) / radii[0], np.abs(columns - centre[1]) / radii[1]
        inside = np.maximum(*away) < 1 if rng.random() < 0.5 else away[0] ** 2 + away[1] ** 2 < 1
        canvas[inside] = rng.integers(0, 256, 3)
    canvas += rng.normal(0, rng.uniform(0, 12), canvas.shape)
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
