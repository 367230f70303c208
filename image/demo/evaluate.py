"""How often the bundle is exactly right about fresh scenes: `python -m demo.evaluate`.

The scenes are photo-sized, never seen in training, and go through the captioner that the handler uses. One
in four has a pair of colour and shape on it that training never showed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import captioner
import numpy as np

from demo.painter import render
from demo.pictures import EVALUATION
from demo.scenes import Scene, random_scene

HELD_OUT_EVERY = 4
SIZES = (480, 1024)  # pixels of the longer side


@dataclass(frozen=True, slots=True)
class Answer:
    """What the captioner said about a scene, and how long that took, from picture to caption."""

    scene: Scene
    said: str
    seconds: float

    @property
    def right(self) -> bool:
        return self.said == self.scene.caption()


@dataclass(frozen=True, slots=True)
class Score:
    """How many of some scenes were captioned exactly right."""

    what: str
    scenes: int
    right: int

    @property
    def share(self) -> float:
        return self.right / self.scenes if self.scenes else 0.0


def answers(count: int, seed: int = 0) -> Iterator[Answer]:
    """Captions `count` fresh scenes with the bundle that `captioner.setup` has loaded."""
    for index in range(count):
        rng = np.random.default_rng([EVALUATION, seed, index])
        scene = random_scene(rng, "held-out" if index % HELD_OUT_EVERY == 0 else "training")
        image = render(scene, rng, int(rng.integers(*SIZES)))
        began = time.perf_counter()
        said = str(captioner.predict(image)["caption"])
        yield Answer(scene, said, time.perf_counter() - began)


def scores(given: list[Answer]) -> list[Score]:
    """The table's lines: all, then by what was trained on, by kind of scene, and by relation."""
    lines = {
        "all": given,
        "pairs seen in training": [answer for answer in given if not answer.scene.held_out],
        "held-out pairs": [answer for answer in given if answer.scene.held_out],
    }
    for kind in ("one thing", "several alike", "two groups"):
        lines[kind] = [answer for answer in given if answer.scene.kind == kind]
    return [Score(what, len(some), sum(answer.right for answer in some)) for what, some in lines.items()]


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.evaluate", description="Test the demo model.")
    parser.add_argument("--bundle", type=Path, help="folder (default: the one the handler would load)")
    parser.add_argument("--scenes", type=int, default=1000, help="fresh scenes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another number, other scenes (default: 0)")
    parser.add_argument("--mistakes", type=int, nargs="?", const=20, default=0, help="show so many (20)")
    parser.add_argument("--at-least", type=float, default=0.0, help="percent right, or the exit code is 1")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    arguments = parser.parse_args()
    captioner.setup(arguments.bundle)
    given = list(answers(arguments.scenes, arguments.seed))
    table = scores(given)
    milliseconds = statistics.median(answer.seconds for answer in given) * 1000
    wrong = [answer for answer in given if not answer.right][: arguments.mistakes]
    if arguments.json:
        figures = {
            "model": captioner.about()["model"],
            "scores": [
                {"what": score.what, "scenes": score.scenes, "right": score.right, "share": round(score.share, 4)}
                for score in table
            ],
            "caption_milliseconds": round(milliseconds, 2),
            "mistakes": [{"true": answer.scene.caption(), "said": answer.said} for answer in wrong],
        }
        print(json.dumps(figures, indent=2))
    else:
        for score in table:
            print(f"{score.what:<24}{score.scenes:>6} scenes {score.share:>8.1%} exactly right")
        print(f"{milliseconds:.1f} ms from picture to caption (median)")
        for answer in wrong:
            print(f"\ntrue  {answer.scene.caption()}\nsaid  {answer.said}")
    return int(100 * table[0].share < arguments.at_least)


if __name__ == "__main__":
    sys.exit(main())
