"""Large photos as they were taken against what the client sends of them: bytes, time, and whether the caption stays.

python tests/benchmarks/shrunk.py [--scenes 100]

Scenes of the demo's painter as a phone would keep them: 12 megapixels, noise, JPEG at 100 or PNG, one in two turned by
EXIF, all too large for the gateway. Both go through the handler's picture module and the captioner.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "image")]

import captioner  # noqa: E402
from demo.painter import render  # noqa: E402
from demo.pictures import EVALUATION  # noqa: E402
from demo.scenes import Scene, random_scene  # noqa: E402
from serving import picture  # noqa: E402

from lambdacap.client.photo import LIMIT, prepare  # noqa: E402

LONGER_SIDE = 4032
STORED = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF's orientation → how the sensor's picture lies to the scene."""


@dataclass(frozen=True)
class Pair:
    """One scene's file and what was sent of it: bytes and captions of both."""

    scene: Scene
    bytes: tuple[int, int]
    captions: tuple[str, str]
    seconds: float


def photo(scene: Scene, rng: np.random.Generator, format: str, orientation: int) -> bytes:  # noqa: A002
    """A file of the scene, larger than what passes the gateway."""
    painted = render(scene, rng, 1024).resize(_size(scene), Image.Resampling.BICUBIC)
    grain = rng.integers(-10, 11, (painted.height, painted.width, 1), dtype=np.int16)
    image = Image.fromarray(np.clip(np.asarray(painted, dtype=np.int16) + grain, 0, 255).astype(np.uint8))
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    stored = image if turn is None else image.transpose(turn)
    stored.save(stream, format, quality=100, compress_level=1, exif=exif)
    return stream.getvalue()


def pairs(count: int, folder: Path) -> Iterator[Pair]:
    """Captions of `count` large photos before and after the client's hand, by the bundle that is set up."""
    for index in range(count):
        rng = np.random.default_rng([EVALUATION, 12, index])
        scene = random_scene(rng)
        orientation = (1, 6, 1, 8, 1, 3)[index % 6]
        path = folder / f"{index}"
        path.write_bytes(photo(scene, rng, "PNG" if index % 8 == 7 else "JPEG", orientation))
        began = time.perf_counter()
        sent = prepare(path).content
        seconds = time.perf_counter() - began
        original = path.read_bytes()
        path.unlink()
        assert len(sent) <= LIMIT < len(original)
        yield Pair(scene, (len(original), len(sent)), (_said(original), _said(sent)), seconds)


def _size(scene: Scene) -> tuple[int, int]:
    width, height = scene.extent
    scale = LONGER_SIDE / max(width, height)
    return round(width * scale), round(height * scale)


def _said(content: bytes) -> str:
    needed: tuple[int, int] = captioner.about()["image_size"]  # type: ignore[assignment]
    return str(captioner.predict(picture.read(content, needed=needed).image)["caption"])


def main() -> None:
    parser = argparse.ArgumentParser(description="What shrinking does to bytes and captions.")
    parser.add_argument("--scenes", type=int, default=100, help="default: %(default)s")
    captioner.setup(None)
    with tempfile.TemporaryDirectory() as folder:
        found = list(pairs(parser.parse_args().scenes, Path(folder)))
    right = [sum(pair.captions[which] == pair.scene.caption() for pair in found) for which in (0, 1)]
    size = [statistics.median(pair.bytes[which] for pair in found) / 1e6 for which in (0, 1)]
    same = sum(pair.captions[0] == pair.captions[1] for pair in found)
    print(f"{len(found)} photos of about 12 megapixels: {same} captions are the same after shrinking")
    print(f"exactly right: {right[0]} as taken, {right[1]} as sent")
    print(f"median size:   {size[0]:.1f} MB as taken, {size[1]:.2f} MB as sent")
    print(f"median time to prepare one: {1e3 * statistics.median(pair.seconds for pair in found):.0f} ms")


if __name__ == "__main__":
    main()
