"""`python -m demo.paint --seed 7 scene.jpg`, in the folder above, paints a scene and prints its sentence."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from demo.painter import render
from demo.scenes import random_scene


def main() -> None:
    parser = argparse.ArgumentParser(prog="paint", description="Paint a scene and say what is on it.")
    parser.add_argument("file", type=Path, help="where the picture goes; the ending says the format")
    parser.add_argument("--seed", type=int, help="the same number, the same scene (default: a fresh one)")
    parser.add_argument("--size", type=int, default=640, help="longer side in pixels (default: %(default)s)")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    scene = random_scene(rng)
    render(scene, rng, arguments.size).save(arguments.file)
    print(scene.caption())


if __name__ == "__main__":
    main()
