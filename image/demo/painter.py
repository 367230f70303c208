"""A scene as a picture: paper shapes on some ground, photographed not too well.

Colours stay within what people call by that name, and grounds are pale or muted and keep away from the
things' colours. All else varies: ground, light, shadow, blur, noise, JPEG.
"""

from __future__ import annotations

import colorsys
import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from demo.scenes import REACH, Scene, Thing

Rgb = tuple[int, int, int]
Range = tuple[float, float]

# Hue in degrees, saturation, value: what nobody would give another of the ten names, in weak light too.
PALETTE: dict[str, tuple[Range, Range, Range]] = {
    "red": ((-6, 4), (0.82, 0.95), (0.74, 0.90)),
    "orange": ((24, 31), (0.90, 1.0), (0.95, 1.0)),
    "yellow": ((51, 57), (0.82, 0.98), (0.93, 1.0)),
    "green": ((112, 145), (0.65, 0.9), (0.48, 0.70)),
    "blue": ((212, 230), (0.75, 0.95), (0.70, 0.92)),
    "purple": ((272, 284), (0.62, 0.80), (0.56, 0.74)),
    "pink": ((328, 344), (0.36, 0.50), (0.96, 1.0)),
    "brown": ((20, 27), (0.66, 0.80), (0.42, 0.52)),
    "black": ((0, 360), (0.0, 0.15), (0.04, 0.10)),
    "white": ((0, 360), (0.0, 0.03), (0.97, 1.0)),
}
CONTRAST = 130.0  # least distance of a thing from its ground; see `_distance`
MARGIN = 4  # pixels around a thing's mask, for its soft edge


def render(scene: Scene, rng: np.random.Generator, size: int = 640) -> Image.Image:
    """Paints a scene, RGB; `size` is the longer side in pixels.

    `rng` decides whatever the sentence does not speak of: ground, shades, light, blur, noise, JPEG.
    """
    width, height = scene.extent
    scale = size / max(width, height)
    pixels = max(1, round(width * scale)), max(1, round(height * scale))
    colours = [_shade(rng, group.colour) for group in scene.groups]
    picture = _ground(rng, pixels, colours)
    shadow = rng.uniform(0.0, 0.4), rng.uniform(-0.12, 0.12), rng.uniform(0.04, 0.16)
    for group, colour in zip(scene.groups, colours, strict=True):
        for thing in group.things:
            _paste(picture, thing, group.shape, colour, scale, shadow)
    return _photographed(rng, picture)


def _shade(rng: np.random.Generator, name: str) -> Rgb:
    hue, saturation, value = (float(rng.uniform(*bounds)) for bounds in PALETTE[name])
    return _rgb(hue, saturation, value)


def _rgb(hue: float, saturation: float, value: float) -> Rgb:
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _distance(one: Rgb, other: Rgb) -> float:
    """How different two colours look: "redmean", https://www.compuphase.com/cmetric.htm (0 to about 765)."""
    red = (one[0] + other[0]) / 2
    squares = [(a - b) ** 2 for a, b in zip(one, other, strict=True)]
    return math.sqrt((2 + red / 256) * squares[0] + 4 * squares[1] + (2 + (255 - red) / 256) * squares[2])


def _ground(rng: np.random.Generator, pixels: tuple[int, int], colours: list[Rgb]) -> Image.Image:
    """Two muted colours in a pattern, both far from what lies on them."""
    for _ in range(1000):
        hue, saturation, value = rng.uniform(0, 360), rng.uniform(0, 0.28), rng.uniform(0.3, 0.97)
        one = _rgb(hue, saturation, value)
        other = _rgb(
            hue + rng.uniform(-25, 25),
            min(0.3, saturation * rng.uniform(0.7, 1.3)),
            min(0.98, value * rng.uniform(0.78, 1.28)),
        )
        if all(min(_distance(colour, one), _distance(colour, other)) > CONTRAST for colour in colours):
            break
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))](rng, pixels)
    return Image.composite(Image.new("RGB", pixels, one), Image.new("RGB", pixels, other), pattern)


def _plain(_rng: np.random.Generator, pixels: tuple[int, int]) -> Image.Image:
    return Image.new("L", pixels, 255)


def _gradient(rng: np.random.Generator, pixels: tuple[int, int]) -> Image.Image:
    return _stretched(rng.uniform(0, 255, (2, 2)), pixels)


def _clouds(rng: np.random.Generator, pixels: tuple[int, int]) -> Image.Image:
    rows, columns = rng.integers(3, 14, 2)
    coarse = _stretched(rng.uniform(0, 255, (rows, columns)), pixels)
    fine = _stretched(rng.uniform(0, 255, (rows * 4, columns * 4)), pixels)
    return Image.blend(coarse, fine, float(rng.uniform(0.1, 0.5)))


def _wood(rng: np.random.Generator, pixels: tuple[int, int]) -> Image.Image:
    grain = rng.uniform(0, 255, (int(rng.integers(30, 80)), int(rng.integers(2, 6))))
    return _stretched(grain if rng.random() < 0.6 else grain.T, pixels)


def _stripes(rng: np.random.Generator, pixels: tuple[int, int]) -> Image.Image:
    angle, waves = rng.uniform(0, math.pi), rng.uniform(4, 22)
    return _waves(pixels, [(angle, waves)])


def _weave(rng: np.random.Generator, pixels: tuple[int, int]) -> Image.Image:
    angle, waves = rng.uniform(0, math.pi), rng.uniform(4, 22)
    return _waves(pixels, [(angle, waves), (angle + math.pi / 2, waves)])


def _waves(pixels: tuple[int, int], directions: list[tuple[float, float]]) -> Image.Image:
    # Painted at a fraction and stretched: what is so smooth needs no more.
    columns, rows = (max(2, side // 2) for side in pixels)
    x, y = np.linspace(0, 1, columns)[np.newaxis], np.linspace(0, rows / columns, rows)[:, np.newaxis]
    wave = sum(
        (np.sin(2 * math.pi * waves * (x * math.cos(angle) + y * math.sin(angle)))) for angle, waves in directions
    )
    return _stretched(127.5 + 127.5 / len(directions) * np.asarray(wave), pixels)


_PATTERNS = (_plain, _gradient, _gradient, _clouds, _clouds, _wood, _stripes, _weave)


def _stretched(values: NDArray[np.float64], pixels: tuple[int, int]) -> Image.Image:
    small = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return small.resize(pixels, Image.Resampling.BICUBIC)


def _paste(
    picture: Image.Image,
    thing: Thing,
    shape: str,
    colour: Rgb,
    scale: float,
    shadow: tuple[float, float, float],
) -> None:
    """Lays a shape of slightly uneven colour and its soft shadow on the picture."""
    radius = thing.radius * scale
    half = math.ceil(radius * REACH) + MARGIN
    left, top = math.floor(thing.x * scale) - half, math.floor(thing.y * scale) - half
    mask = _mask(shape, radius, thing.turn, half, thing.x * scale % 1, thing.y * scale % 1)
    darkness, right, down = shadow
    soft = mask.filter(ImageFilter.GaussianBlur(radius * 0.08)).point(lambda value: value * darkness)
    picture.paste((0, 0, 0), (left + round(right * radius), top + round(down * radius)), soft)
    light = Image.new("RGB", (1, 2))
    light.putpixel((0, 0), tuple(min(255, round(channel * 1.05 + 4)) for channel in colour))
    light.putpixel((0, 1), tuple(round(channel * 0.90) for channel in colour))
    picture.paste(light.resize(mask.size, Image.Resampling.BILINEAR), (left, top), mask)


def _mask(shape: str, radius: float, turn: float, half: int, x: float, y: float) -> Image.Image:
    """A smooth-edged mask of a shape in a square of 2 × `half` pixels, its middle moved by (x, y) < 1."""
    fine = 3 if radius < 60 else 2
    mask = Image.new("L", (2 * half * fine, 2 * half * fine))
    draw = ImageDraw.Draw(mask)
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    draw.polygon(
        [
            ((half + x + radius * (u * cos - v * sin)) * fine, (half + y + radius * (u * sin + v * cos)) * fine)
            for u, v in OUTLINES[shape]
        ],
        fill=255,
    )
    return mask.reduce(fine)


def _ring(count: int, radii: tuple[float, ...]) -> list[tuple[float, float]]:
    """Points around the middle, the first at the top, their distances taken from `radii` in turn."""
    steps = [math.tau * index / count - math.pi / 2 for index in range(count)]
    return [
        (math.cos(angle) * radii[index % len(radii)], math.sin(angle) * radii[index % len(radii)])
        for index, angle in enumerate(steps)
    ]


def _heart() -> list[tuple[float, float]]:
    """https://mathworld.wolfram.com/HeartCurve.html (the sixth), brought to our size."""
    angles = [math.tau * index / 60 for index in range(60)]
    return [
        (
            16 * math.sin(t) ** 3 / 15.5,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) + 2.5) / 15.5,
        )
        for t in angles
    ]


_ARM, _HALF_BAR = 1.1, 0.36
# In radii, y downwards, of about equal area (the cross and the star less, or they would reach too far).
OUTLINES: dict[str, list[tuple[float, float]]] = {
    "circle": _ring(64, (1.0,)),
    "square": [(-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)],
    "triangle": _ring(3, (REACH,)),
    "star": _ring(10, (REACH, 0.5)),
    "cross": [
        (-_HALF_BAR, -_ARM), (_HALF_BAR, -_ARM), (_HALF_BAR, -_HALF_BAR), (_ARM, -_HALF_BAR),
        (_ARM, _HALF_BAR), (_HALF_BAR, _HALF_BAR), (_HALF_BAR, _ARM), (-_HALF_BAR, _ARM),
        (-_HALF_BAR, _HALF_BAR), (-_ARM, _HALF_BAR), (-_ARM, -_HALF_BAR), (-_HALF_BAR, -_HALF_BAR),
    ],
    "heart": _heart(),
}  # fmt: skip


def _photographed(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Uneven light, a lens that is a little off, a sensor's noise, JPEG."""
    light = _stretched(rng.uniform(205, 255, (2, 2)), picture.size)
    picture = ImageChops.multiply(picture, Image.merge("RGB", (light, light, light)))
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.004) * max(picture.size)))
    if rng.random() < 0.7:
        strength = rng.uniform(0, 9)
        columns, rows = picture.size
        noise = rng.standard_normal((rows, columns, 3), dtype=np.float32) * strength
        noisy = np.asarray(picture) + noise + rng.uniform(-4, 4, 3).astype(np.float32)
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if rng.random() < 0.6:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(rng.integers(50, 95)))
        picture = Image.open(file)
        picture.load()
    return picture
