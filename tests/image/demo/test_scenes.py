"""Scenes: every sentence is grammatical, true, and the same for the same seed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo import vocabulary
from demo.painter import PALETTE, render
from demo.pictures import HEIGHT, WIDTH, normalise, squeeze
from demo.scenes import (
    COLOURS,
    COUNTS,
    HELD_OUT,
    MOST_THINGS,
    PLURALS,
    POSITIONS,
    RADII,
    REACH,
    RELATIONS,
    SHAPES,
    Group,
    Scene,
    Subset,
    Thing,
    random_scene,
)
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]


def scenes(count: int, subset: Subset = "all") -> list[Scene]:
    rng = np.random.default_rng(5)
    return [random_scene(rng, subset) for _ in range(count)]


def group(size: str, colour: str, shape: str, *places: tuple[float, float]) -> Group:
    radius = RADII[size][0]
    return Group(size, colour, shape, tuple(Thing(x, y, radius, 0.0) for x, y in places))


COLOUR = f"(?:{'|'.join(COLOURS)})"
NOUNS = (
    f"(?:a (?:large|small) {COLOUR} (?:{'|'.join(SHAPES)})"
    f"|(?:{'|'.join(COUNTS[1:])}) (?:large|small) {COLOUR} (?:{'|'.join(PLURALS.values())}))"
)
PLACES = "|".join(position for row in POSITIONS for position in row)
GRAMMAR = re.compile(f"{NOUNS} (?:(?:{PLACES})|(?:{'|'.join(RELATIONS)}) {NOUNS})")


def test_every_sentence_is_of_the_grammar_and_the_vocabulary() -> None:
    for scene in scenes(2000):
        caption = scene.caption()
        assert GRAMMAR.fullmatch(caption)
        indices = vocabulary.encode(caption)
        assert len(indices) == vocabulary.LONGEST
        assert vocabulary.decode(indices[1:]) == caption


def test_every_word_of_the_vocabulary_is_used() -> None:
    used = {word for scene in scenes(3000) for word in scene.caption().split()}
    assert used == set(vocabulary.WORDS) - {"<pad>", "<unk>", "<start>", "<end>"}
    assert vocabulary.WORDS[0] == "<pad>"
    assert vocabulary.WORDS[-3:] == ("<unk>", "<start>", "<end>")


@pytest.mark.parametrize(
    ("groups", "caption"),
    [
        ([group("large", "red", "circle", (0.5, 0.5))], "a large red circle in the centre"),
        ([group("small", "blue", "cross", (0.2, 0.1), (0.2, 0.3))], "two small blue crosses at the top left"),
        ([group("small", "pink", "star", (0.9, 0.5))], "a small pink star on the right"),
        (
            [group("small", "blue", "square", (0.4, 0.8), (0.6, 0.8)), group("large", "red", "circle", (0.5, 0.3))],
            "a large red circle above two small blue squares",
        ),
        (
            [group("small", "white", "heart", (0.2, 0.5)), group("small", "black", "heart", (0.8, 0.5))],
            "a small black heart to the right of a small white heart",
        ),
        (
            [
                group("small", "black", "heart", (0.2, 0.4), (0.2, 0.6)),
                group("small", "white", "star", (0.8, 0.5)),
            ],
            "a small white star to the right of two small black hearts",
        ),
    ],
)
def test_the_sentence_says_where_things_are_and_names_the_groups_in_the_canonical_order(
    groups: list[Group], caption: str
) -> None:
    assert Scene(1.0, tuple(groups)).caption() == caption
    assert Scene(1.0, tuple(reversed(groups))).caption() == caption


def test_things_lie_in_the_frame_and_apart_and_are_few() -> None:
    for scene in scenes(1000):
        width, height = scene.extent
        assert width * height == pytest.approx(1)
        things = [thing for group in scene.groups for thing in group.things]
        assert 1 <= len(things) <= MOST_THINGS
        for index, thing in enumerate(things):
            reach = thing.radius * REACH
            assert reach <= thing.x <= width - reach
            assert reach <= thing.y <= height - reach
            for other in things[:index]:
                distance = np.hypot(thing.x - other.x, thing.y - other.y)
                assert distance >= REACH * (thing.radius + other.radius)


@pytest.mark.parametrize(
    "groups",
    [
        [group("small", "red", "star", (0.62, 0.5))],  # neither the middle nor the right third
        [group("small", "red", "star", (0.3, 0.3)), group("small", "blue", "star", (0.65, 0.6))],  # diagonal
        [group("small", "red", "star", (0.3, 0.5)), group("small", "blue", "star", (0.35, 0.5))],  # overlapping
        [group("large", "red", "star", (0.1, 0.5))],  # over the edge
    ],
)
def test_what_people_could_say_differently_is_not_clear(groups: list[Group]) -> None:
    assert not Scene(1.0, tuple(groups)).is_clear()


@pytest.mark.slow
def test_held_out_pairs_never_come_in_training_and_always_in_their_own_subset() -> None:
    assert {shape for _, shape in HELD_OUT} == set(SHAPES)
    assert not any(scene.held_out for scene in scenes(2000, "training"))
    held_out = scenes(500, "held-out")
    assert all(scene.held_out for scene in held_out)
    assert {(g.colour, g.shape) for scene in held_out for g in scene.groups} >= HELD_OUT
    trained = {(g.colour, g.shape) for scene in scenes(4000, "training") for g in scene.groups}
    assert len(trained) == len(COLOURS) * len(SHAPES) - len(HELD_OUT)


def test_the_same_seed_gives_the_same_scene_and_the_same_pixels() -> None:
    first, second = (np.random.default_rng(11) for _ in range(2))
    scene = random_scene(first)
    assert scene == random_scene(second)
    assert render(scene, first, 300).tobytes() == render(scene, second, 300).tobytes()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_thing_has_its_colour_and_its_place(colour: str) -> None:
    scene = Scene(4 / 3, (group("large", colour, "circle", (0.8, 0.4)),))
    rng = np.random.default_rng(3)
    picture = render(scene, rng, 400)
    assert picture.size == (400, 300)
    assert picture.mode == "RGB"
    scale = 400 / scene.extent[0]
    hue, saturation, value = np.asarray(picture.convert("HSV"))[int(0.4 * scale), int(0.8 * scale)] / 255
    hues, saturations, values = PALETTE[colour]
    if saturations[0] > 0.2:
        middle = sum(hues) / 2 % 360
        off = abs(hue * 360 - middle)
        # Beyond the palette's own range by what noise and the sensor's tint add.
        assert min(off, 360 - off) < (hues[1] - hues[0]) / 2 + 8
        assert saturation > saturations[0] - 0.15
    assert values[0] * 0.6 - 0.05 < value < values[1] * 1.1 + 0.05


def test_training_sees_what_the_captioner_sees() -> None:
    bundle = pytest.importorskip("captioner.bundle", reason="onnxruntime is not installed").Bundle.load(
        ROOT / "image" / "demo" / "bundle"
    )
    from captioner.preprocess import tensor

    rng = np.random.default_rng(2)
    picture = render(random_scene(rng), rng, 500)
    assert (bundle.width, bundle.height) == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(normalise(squeeze(picture)[np.newaxis]), tensor(picture, bundle))


def test_painting_is_a_command(tmp_path: Path) -> None:
    file = tmp_path / "scene.jpg"
    command = [sys.executable, "-m", "demo.paint", "--seed", "7", str(file)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "image")}
    first = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    assert GRAMMAR.fullmatch(first.strip())
    with Image.open(file) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) == 640
    assert subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout == first
