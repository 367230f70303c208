"""Scenes: one or two groups of coloured shapes, and the one sentence that says what is there.

The sentence is a function of the scene, by these rules:

- A group is one to four things alike in size, colour and shape: "a large red circle", "two small blue squares".
- One group: where its middle lies in the picture's thirds, "three small green stars at the top left".
- Two groups: how the first lies to the second, "a large red circle above two small blue squares".
- Which is the first: the large before the small, then the fewer before the more, then the colour and last the
  shape by the alphabet. Where they lie does not matter, so that all four relations occur.

No scene lies near a border between two sentences: thirds, relations and sizes keep margins, so two people
say the same. Some pairs of colour and shape (`HELD_OUT`) are never trained on: whoever names them has learned
what "blue" and what "heart" is, and not what pictures go with which sentence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
PLURALS = {
    "circle": "circles",
    "square": "squares",
    "triangle": "triangles",
    "star": "stars",
    "cross": "crosses",
    "heart": "hearts",
}
SHAPES = tuple(PLURALS)
COUNTS = ("a", "two", "three", "four")
MOST_THINGS = len(COUNTS)
RELATIONS = ("above", "below", "to the left of", "to the right of")
# By row and column of the thirds that the group's middle lies in.
POSITIONS = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the centre", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)

HELD_OUT = frozenset(
    {
        ("purple", "circle"),
        ("yellow", "square"),
        ("pink", "triangle"),
        ("green", "star"),
        ("orange", "cross"),
        ("blue", "heart"),
    }
)
PAIRS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)

# Lengths are shares of √(width × height), so that a thing's share of the picture stays what it is when the
# captioner squeezes the picture to a square. Between the two sizes lies a factor of 1.7.
RADII = {"large": (0.115, 0.14), "small": (0.055, 0.067)}
REACH = 1.22  # farthest point of any shape from its middle, in radii
FRAME = 0.02  # free strip inside the picture's edge
PROPORTIONS = (2 / 3, 16 / 9)  # width ÷ height
# Where the middle of a single group may lie, in shares of width or height: between them nothing is drawn.
THIRDS = ((0.0, 0.34), (0.43, 0.57), (0.66, 1.0))
ANYWHERE = (0.0, 1.0)

T = TypeVar("T")
Range = tuple[float, float]
Subset = Literal["training", "held-out", "all"]


@dataclass(frozen=True, slots=True)
class Thing:
    """One shape. `x` (rightwards), `y` (downwards) and `radius` in √(width × height); `turn` in degrees."""

    x: float
    y: float
    radius: float
    turn: float


@dataclass(frozen=True, slots=True)
class Box:
    """The smallest upright rectangle around some things, in √(width × height)."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Group:
    """Things alike in size, colour and shape that lie together."""

    size: str
    colour: str
    shape: str
    things: tuple[Thing, ...]

    def phrase(self) -> str:
        """ "a large red circle", "two small blue squares"."""
        count = len(self.things)
        noun = self.shape if count == 1 else PLURALS[self.shape]
        return f"{COUNTS[count - 1]} {self.size} {self.colour} {noun}"

    @property
    def box(self) -> Box:
        left = top = math.inf
        right = bottom = -math.inf
        for thing in self.things:
            reach = thing.radius * REACH
            left, right = min(left, thing.x - reach), max(right, thing.x + reach)
            top, bottom = min(top, thing.y - reach), max(bottom, thing.y + reach)
        return Box(left, top, right, bottom)

    @property
    def rank(self) -> tuple[int, int, str, str]:
        """What decides who is named first: the smaller rank."""
        return int(self.size != "large"), len(self.things), self.colour, self.shape

    @property
    def held_out(self) -> bool:
        return (self.colour, self.shape) in HELD_OUT


@dataclass(frozen=True, slots=True)
class Scene:
    """One or two groups on a picture of `proportion` width ÷ height."""

    proportion: float
    groups: tuple[Group, ...]

    @property
    def extent(self) -> tuple[float, float]:
        """The picture's width and height in √(width × height)."""
        return math.sqrt(self.proportion), 1 / math.sqrt(self.proportion)

    @property
    def held_out(self) -> bool:
        """Whether something is on it that training never shows."""
        return any(group.held_out for group in self.groups)

    @property
    def kind(self) -> str:
        """What evaluations sort scenes by."""
        if len(self.groups) == 2:
            return "two groups"
        return "one thing" if len(self.groups[0].things) == 1 else "several alike"

    def caption(self) -> str:
        """The sentence that is true of this scene."""
        if len(self.groups) == 1:
            (group,) = self.groups
            column, row = (_third(share) for share in self._share(group.box.middle))
            return f"{group.phrase()} {POSITIONS[row][column]}"
        first, second = sorted(self.groups, key=lambda group: group.rank)
        return f"{first.phrase()} {self._relation(first, second)} {second.phrase()}"

    def is_clear(self) -> bool:
        """Whether everything is in the frame, apart, and far from any border between two sentences."""
        width, height = self.extent
        boxes = [group.box for group in self.groups]
        if any(
            box.left < FRAME or box.top < FRAME or box.right > width - FRAME or box.bottom > height - FRAME
            for box in boxes
        ):
            return False
        things = [thing for group in self.groups for thing in group.things]
        for index, one in enumerate(things):
            for other in things[:index]:
                if math.hypot(one.x - other.x, one.y - other.y) < REACH * (one.radius + other.radius):
                    return False
        if len(boxes) == 1:
            return all(_within_third(share) for share in self._share(boxes[0].middle))
        (x1, y1), (x2, y2) = boxes[0].middle, boxes[1].middle
        across, down = abs(x1 - x2), abs(y1 - y2)
        # Seen as it is and squeezed to a square: the same axis has to win, clearly, both times.
        for proportion in (1.0, self.proportion):
            short, long = sorted((across / proportion, down))
            if short > 0.5 * long:
                return False
        gap = max(
            boxes[0].left - boxes[1].right,
            boxes[1].left - boxes[0].right,
            boxes[0].top - boxes[1].bottom,
            boxes[1].top - boxes[0].bottom,
        )
        return gap > 0.02 and (across > down) == (across / self.proportion > down)

    def _share(self, point: tuple[float, float]) -> tuple[float, float]:
        width, height = self.extent
        return point[0] / width, point[1] / height

    def _relation(self, first: Group, second: Group) -> str:
        (x1, y1), (x2, y2) = first.box.middle, second.box.middle
        if abs(y1 - y2) > abs(x1 - x2):
            return "above" if y1 < y2 else "below"
        return "to the left of" if x1 < x2 else "to the right of"


def random_scene(rng: np.random.Generator, subset: Subset = "all") -> Scene:
    """Draws a scene: of "training" pairs of colour and shape only, with a "held-out" pair, or of "all" pairs."""
    while True:
        scene = _draw(rng, subset)
        if scene is not None:
            return scene


def _draw(rng: np.random.Generator, subset: Subset) -> Scene | None:
    """What is on the scene first, then where: else what fits easily (one small thing) would be most there is."""
    proportion = float(np.exp(rng.uniform(*np.log(PROPORTIONS))))
    extent = Scene(proportion, ()).extent
    pairs = [pair for pair in PAIRS if subset == "all" or (pair in HELD_OUT) == (subset == "held-out")]
    others = [pair for pair in PAIRS if subset != "training" or pair not in HELD_OUT]
    alone = rng.random() < 0.4
    count = int(rng.integers(1, MOST_THINGS + 1 if alone else MOST_THINGS))
    kinds = [(_one_of(rng, tuple(RADII)), *_one_of(rng, pairs), count)]
    if not alone:
        rest = int(rng.integers(1, MOST_THINGS - count + 1))
        kinds.append((_one_of(rng, tuple(RADII)), *_one_of(rng, others), rest))
        if kinds[0][:3] == kinds[1][:3]:
            return None  # would be one group
    for _ in range(60):
        groups = [_group(rng, *kind) for kind in kinds]
        thirds = (_one_of(rng, THIRDS), _one_of(rng, THIRDS)) if alone else (ANYWHERE, ANYWHERE)
        placed = [_placed(rng, group, extent, thirds) for group in groups]
        scene = Scene(proportion, tuple(group for group in placed if group is not None))
        if len(scene.groups) == len(kinds) and scene.is_clear():
            return scene
    return None


def _placed(
    rng: np.random.Generator, group: Group, extent: tuple[float, float], shares: tuple[Range, Range]
) -> Group | None:
    """The group somewhere in the frame, its middle within these shares of width and height; None: no room."""
    box = group.box
    middle = []
    for length, side, (low, high) in zip((box.right - box.left, box.bottom - box.top), extent, shares, strict=True):
        free = FRAME + length / 2
        low, high = max(low * side, free), min(high * side, side - free)
        if low > high:
            return None
        middle.append(float(rng.uniform(low, high)))
    return _moved(group, middle[0], middle[1])


def _group(rng: np.random.Generator, size: str, colour: str, shape: str, count: int) -> Group:
    """A group around (0, 0): in a row, in a column or heaped."""
    radius = rng.uniform(*RADII[size])
    pitch = radius * rng.uniform(2.5, 2.9)
    columns = count
    layout = _one_of(rng, ("row", "column", "heap", "heap"))
    if layout == "column":
        columns = 1
    elif layout == "heap":
        columns = 2
    tilt = math.radians(rng.uniform(-12, 12) if count != 2 or layout != "heap" else rng.choice((-45, 45)))
    things = []
    for index in range(count):
        row, column = divmod(index, columns)
        # The last row of a heap of three is one thing, in the middle.
        inset = 0.5 if layout == "heap" and count == 3 and row == 1 else 0.0
        x = (column + inset) * pitch + rng.normal(0, 0.03) * radius
        y = row * pitch * (0.9 if inset else 1) + rng.normal(0, 0.03) * radius
        things.append(
            Thing(
                x * math.cos(tilt) - y * math.sin(tilt),
                x * math.sin(tilt) + y * math.cos(tilt),
                radius * rng.uniform(0.96, 1.0),
                float(rng.uniform(-20, 20)),
            )
        )
    return _moved(Group(size, colour, shape, tuple(things)), 0, 0)


def _moved(group: Group, x: float, y: float) -> Group:
    """The group with its middle at (x, y)."""
    middle_x, middle_y = group.box.middle
    things = tuple(
        Thing(thing.x - middle_x + x, thing.y - middle_y + y, thing.radius, thing.turn) for thing in group.things
    )
    return Group(group.size, group.colour, group.shape, things)


def _third(share: float) -> int:
    return int(share > 0.385) + int(share > 0.615)


def _within_third(share: float) -> bool:
    return any(low <= share <= high for low, high in THIRDS)


def _one_of(rng: np.random.Generator, values: Sequence[T]) -> T:
    return values[int(rng.integers(len(values)))]
