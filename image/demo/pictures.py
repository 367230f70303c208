"""Scenes as the model sees them: what `captioner.preprocess` does to a photo, and many at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.painter import render
from demo.scenes import Subset, random_scene
from demo.vocabulary import encode

# 112 pixels: the grid of 14 × 14 with three halvings, and a small thing is still 12 pixels wide.
WIDTH = HEIGHT = 112
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

# The first number of each seed: no scene of one use can come up in another.
TRAINING, VALIDATION, EVALUATION, PARITY = 1, 2, 3, 4
SIZES = (128, 384)  # pixels of the longer side; photos come in more, which differ no more once squeezed
CHUNK = 200


class Pictures(NamedTuple):
    """n pictures, uint8 [n, HEIGHT, WIDTH, 3], and their captions, int64 [n, LONGEST]."""

    pixels: NDArray[np.uint8]
    captions: NDArray[np.int64]


def squeeze(image: Image.Image) -> NDArray[np.uint8]:
    """A photo as the encoder's pixels, uint8 [HEIGHT, WIDTH, 3]."""
    small = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return np.asarray(small)


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [n, HEIGHT, WIDTH, 3] → float32 [n, 3, HEIGHT, WIDTH], per channel (v / 255 − mean) / std."""
    values = pixels.astype(np.float32) / 255
    values -= np.array(MEAN, np.float32)
    values /= np.array(STD, np.float32)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def paint(
    stream: int,
    count: int,
    *,
    seed: int = 0,
    subset: Subset = "training",
    workers: int = 1,
    progress: Callable[[int], None] = lambda _done: None,
) -> Pictures:
    """Renders `count` scenes of a stream (`TRAINING`, …); the same arguments, the same pictures."""
    pixels = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    captions = []
    jobs = [(stream, seed, first, min(count, first + CHUNK), subset) for first in range(0, count, CHUNK)]
    # Spawned, not forked: a process with torch's threads must not be forked.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        done = 0
        for part in pool.imap(_paint, jobs):
            pixels[done : done + len(part.pixels)] = part.pixels
            captions.append(part.captions)
            done += len(part.pixels)
            progress(done)
    return Pictures(pixels, np.concatenate(captions))


def _paint(job: tuple[int, int, int, int, Subset]) -> Pictures:
    stream, seed, first, last, subset = job
    pixels, captions = [], []
    for index in range(first, last):
        rng = np.random.default_rng([stream, seed, index])
        scene = random_scene(rng, subset)
        size = round(float(np.exp(rng.uniform(*np.log(SIZES)))))
        pixels.append(squeeze(render(scene, rng, size)))
        captions.append(encode(scene.caption()))
    return Pictures(np.stack(pixels), np.array(captions))
