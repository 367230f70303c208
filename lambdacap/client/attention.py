"""Where the model looked: the photo, then one panel a word, as in figure 5 of Show, Attend and Tell (Xu et al. 2015).

A word's attention is a coarse grid of shares that lies over the whole photo. It is drawn smoothly: the photo is as
bright as ever where the word came from, and dark elsewhere.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lambdacap.client.photo import Photo, draw
from lambdacap.errors import CallError, PhotoError

TERMINAL = Path("-")
"""In the place of a file: shown in the terminal."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".pdf")
_SIDE = 288
"""Pixels of a panel's longer side."""
_GAP = 12
_WORDS = 200
"""Words of a caption in a figure: the longest have 50."""
_TITLE = 32
"""Pixels of height above a panel for its word."""
_SHADOW, _GLOW = 0.72, 0.3
"""How near to black is what was not looked at, and how near to white is what was: a dark photo has to show it, too."""
_SHAPE = 1.9
"""Width ÷ height that a figure comes near to."""


@dataclass(frozen=True)
class Panel:
    """A picture and its title: a word, or nothing for the photo itself."""

    title: str
    image: Image.Image


def targets(file: Path, photos: Sequence[Path]) -> list[Path]:
    """Where each photo's figure goes: `out.png`, or for several photos `out-dog.png`, `out-cat.png`.

    Raises `PhotoError` for a kind of file that is not written, and rather than overwrite one of the photos.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise PhotoError(
            f"a figure cannot be written as {file}",
            hint=f"End its name in {', '.join(SUFFIXES)}; - shows it in the terminal.",
        )
    if not file.parent.is_dir():
        raise PhotoError(f"there is no folder {file.parent} for the figure {file.name}", hint="Make it first.")
    if len(photos) == 1:
        files = [file]
    else:
        files = []
        for photo in photos:
            name, number = f"{file.stem}-{photo.stem}", 1
            while file.with_name(f"{name}{file.suffix}") in files:
                number += 1
                name = f"{file.stem}-{photo.stem}-{number}"
            files.append(file.with_name(f"{name}{file.suffix}"))
    for target in files:
        if target.resolve() in {photo.resolve() for photo in photos}:
            raise PhotoError(f"the figure {target} would overwrite that photo", hint="Give it another name.")
    return files


def panels(photo: Photo, answer: Mapping[str, Any]) -> list[Panel]:
    """The photo, and for each word of the API's answer where the model looked.

    Raises `CallError` when the answer says nothing of it.
    """
    words, grids = answer.get("words"), answer.get("attention")
    if not grids:
        raise CallError(
            f"{photo.name}: the answer does not say where the model looked",
            hint="Only models with attention do; without --attention there is the caption.",
        )
    if not (_is_words(words) and isinstance(grids, list) and len(grids) == len(words) and all(map(_is_grid, grids))):
        raise CallError(
            f"{photo.name}: the answer does not say where the model looked in a way that can be drawn",
            hint="A word has one grid, whose rows are equally long and hold numbers from 0 on.",
        )
    seen = _upright(photo)
    return [Panel("", seen), *(Panel(w, _lit(seen, grid)) for w, grid in zip(words, grids, strict=True))]


def _is_words(words: object) -> TypeGuard[list[str]]:
    return isinstance(words, list) and len(words) <= _WORDS and all(_is_word(w) for w in words)


def _is_word(word: object) -> bool:
    """Whether it is text in one line, of whole characters."""
    return isinstance(word, str) and len(word) < 100 and word.isprintable()


def _is_grid(grid: object) -> bool:
    """Whether it is rows × columns shares, as many as a figure can show."""
    return (
        isinstance(grid, list)
        and 0 < len(grid) <= _SIDE
        and all(isinstance(row, list) and 0 < len(row) <= _SIDE and len(row) == len(grid[0]) for row in grid)
        and all(type(share) in (int, float) and 0 <= share <= 1e9 for row in grid for share in row)
    )


def figure(drawn: Sequence[Panel]) -> Image.Image:
    """All panels in one picture, each with its word above it."""
    width, height = drawn[0].image.size
    rows = max(1, round(math.sqrt(len(drawn) * width / ((height + _TITLE) * _SHAPE))))
    columns = math.ceil(len(drawn) / rows)
    across, down = width + _GAP, height + _TITLE + _GAP
    sheet = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for index, panel in enumerate(drawn):
        left, top = _GAP + index % columns * across, _GAP + index // columns * down
        font = _fitting(panel.title, width)
        pen.text((left + width / 2, top + _TITLE / 2), panel.title, fill="black", font=font, anchor="mm")
        sheet.paste(panel.image, (left, top + _TITLE))
    return sheet


def save(sheet: Image.Image, file: Path) -> None:
    """Write the figure. Raises `PhotoError` when it cannot be written."""
    try:
        sheet.save(file, quality=92)
    except OSError as error:
        raise PhotoError(f"{file} cannot be written: {error.strerror or error}") from error


def strips(drawn: Sequence[Panel], per_row: int) -> Iterator[tuple[list[str], Image.Image]]:
    """The panels row by row, `per_row` in each: their titles, and one picture of them side by side."""
    width, height = drawn[0].image.size
    for start in range(0, len(drawn), per_row):
        row = drawn[start : start + per_row]
        strip = Image.new("RGB", (per_row * (width + _GAP) - _GAP, height), "black")
        for index, panel in enumerate(row):
            strip.paste(panel.image, (index * (width + _GAP), 0))
        yield [panel.title for panel in row] + [""] * (per_row - len(row)), strip


def _upright(photo: Photo) -> Image.Image:
    """The photo as the model sees it, in a panel's size: turned by its EXIF, in sRGB, transparent parts over white.

    Raises `PhotoError` for one that is broken further on.
    """
    seen, _ = draw(photo.content, photo.name)
    image = Image.open(io.BytesIO(seen), formats=("JPEG",))
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _lit(image: Image.Image, grid: Sequence[Sequence[float]]) -> Image.Image:
    """The image, lit where the grid's shares are large and dark elsewhere; the largest share gets the full light."""
    rows, columns = len(grid), len(grid[0])
    shares = [share for row in grid for share in row]
    peak = max(shares) or 1.0
    light = Image.new("L", (columns, rows))
    # The root makes the weaker places visible, too.
    light.putdata([round(255 * (share / peak) ** 0.7) for share in shares])
    radius = max(image.width / columns, image.height / rows) / 2
    smooth = light.resize(image.size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(radius))
    brightest = max(smooth.tobytes()) or 255  # less than before: smoothing lowers a narrow peak
    mask = smooth.point([min(255, round(255 * level / brightest)) for level in range(256)])
    shaded = Image.blend(image, Image.new("RGB", image.size, "black"), _SHADOW)
    lit = Image.blend(image, Image.new("RGB", image.size, "white"), _GLOW)
    return Image.composite(lit, shaded, mask)


def _fitting(title: str, width: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The font that Pillow ships, so small that `title` fits."""
    size = 22
    while size > 8 and ImageFont.load_default(size).getlength(title) > width:
        size -= 2
    return ImageFont.load_default(size)
