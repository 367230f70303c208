"""The image against the way it was built before there was a converter: sizes, and container start → first caption.

python tests/benchmarks/image.py [--runs 5] [--folder DIR]

"plain" is that way: base image, pip install of Pillow, torch (its CPU build), torchvision, numpy and joblib, and a
handler that unpickles the model as it is imported. All serve the same weights, and are started in turns, each in a
fresh container under Lambda's runtime emulator. Needs a Docker engine: tests/docker/README.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "image")]

from lambdacap.events import silent  # noqa: E402
from lambdacap.images import docker_engine, docker_image, docker_layers  # noqa: E402
from lambdacap.model.convert import Conversion, convert_once  # noqa: E402
from lambdacap.settings import Settings  # noqa: E402
from tests.benchmarks.model import FOLDER, prepare  # noqa: E402

if TYPE_CHECKING:
    from docker import DockerClient

PLAIN = "lambdacap-bench/plain"
DOCKERFILE = """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY wheels /wheels
RUN pip install --no-cache-dir --find-links /wheels Pillow==13.0.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 \
    joblib==1.6.0 && rm -r /wheels
COPY app.py model.pickle ./
COPY published ./tests/published
ENV HOME=/tmp
CMD ["app.handler"]
"""
APP = """
import base64, io, json
import torch
# torchvision from PyPI is built for CUDA, and misses these beside a CPU build of torch.
library = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import joblib
from PIL import Image
from tests.published import under_published_names
under_published_names()
model = joblib.load("model.pickle")
def handler(event, context):
    image = Image.open(io.BytesIO(base64.b64decode(event["body"])))
    return {"statusCode": 200, "body": json.dumps({"caption": " ".join(model(image).words)})}
"""


@dataclass(frozen=True)
class Built:
    """An image and what it takes over the base, in bytes: on disk, compressed (estimated), and the code's layer."""

    name: str
    image: str
    size: int
    compressed: int
    code: int


def main() -> None:
    parser = argparse.ArgumentParser(description="The image's size, and its container's start → first caption.")
    parser.add_argument("--runs", type=int, default=5, help="fresh containers of each (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where models are made and kept")
    arguments = parser.parse_args()
    if docker_engine.host() is None:
        print("skipped: no Docker engine answers; tests/docker/README.md says how to get one")
        return
    base = os.environ.get("TEST_BASE_IMAGE") or output(str(ROOT / "tests" / "docker" / "base-image"))
    prepare(arguments.folder)
    with closing(docker_engine.connect()) as engine, images(engine, arguments.folder, base) as built:
        print(f"\n{'':<8}{'over the base':>16}{'compressed':>14}{'code':>12}")
        for one in built:
            print(
                f"{one.name:<8}{one.size / 1e6:>13.0f} MB{one.compressed / 1e6:>11.0f} MB"
                + (f"{one.code / 1e3:>9.0f} kB" if one.code else "")
            )
        starts(engine, built, sorted((arguments.folder / "pictures").glob("*.jpg"))[0], arguments.runs)


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextmanager
def images(engine: DockerClient, folder: Path, base: str) -> Iterator[list[Built]]:
    """All images, built; their names are gone afterwards, their layers stay for the next time."""
    with tempfile.TemporaryDirectory() as temporary:
        context = Path(shutil.copytree(ROOT / "image", Path(temporary, "image")))
        pins = (context / "requirements-torch.txt").read_text("utf-8").splitlines()
        torch = next(pin for pin in pins if pin.startswith("torch=="))
        output(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(context / "wheels"), torch)
        built = [plain(engine, Path(temporary, "plain"), context / "wheels", folder / "model.pickle", base)]
        for name, conversion in (
            ("fp32", Conversion()),
            ("int8", Conversion(quantize="int8")),
            ("torch", Conversion(runtime="torch")),
        ):
            bundle = convert_once(folder / "model.pickle", folder, conversion, silent)
            settings = Settings(name=f"bench-{name}", image=context, weights=str(bundle), base_image=base)
            print(f"building {name}", flush=True)
            docker_image.build(engine, settings, "latest", silent)
            built.append(measured(engine, name, f"bench-{name}:latest", context))
    try:
        yield built
    finally:
        for one in built:
            engine.images.remove(one.image)


def plain(engine: DockerClient, folder: Path, wheels: Path, model: Path, base: str) -> Built:
    """The image as it was built before."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE, "utf-8")
    (folder / "app.py").write_text(APP, "utf-8")
    shutil.copytree(wheels, folder / "wheels")
    shutil.copytree(ROOT / "tests" / "published", folder / "published")
    shutil.copy(model, folder)
    print("building plain", flush=True)
    engine.images.build(path=str(folder), tag=PLAIN, buildargs={"BASE_IMAGE": base}, rm=True, forcerm=True)
    found = measured(engine, "plain", PLAIN, folder)
    return Built(found.name, found.image, found.size, found.compressed, 0)


def measured(engine: DockerClient, name: str, image: str, folder: Path) -> Built:
    """Sizes of an image that was built from `folder`."""
    own = docker_layers.measure(engine, image, folder)[1:]
    return Built(name, image, sum(one.size for one in own), sum(one.compressed for one in own), own[-1].size)


def starts(engine: DockerClient, built: list[Built], picture: Path, runs: int) -> None:
    """Medians of `runs` fresh containers of each, in turns, after one of each that is not counted."""
    from tests.docker.test_image import api_event, invoke, running

    event = api_event("POST", picture.read_bytes())
    seconds: dict[str, list[float]] = {one.name: [] for one in built}
    captions: dict[str, str] = {}
    for turn in range(runs + 1):
        for one in built:
            begin = time.perf_counter()
            with running(engine, one.image, read_only=True, tmpfs={"/tmp": ""}) as container:  # noqa: S108
                answer = invoke(container, event)
                taken = time.perf_counter() - begin
            captions[one.name] = answer["body"].partition('"caption": "')[2].partition('"')[0]
            if turn:
                seconds[one.name].append(taken)
    first = statistics.median(seconds["plain"])
    print(f"\ncontainer's start → first caption, medians of {runs} in turns")
    for name, found in seconds.items():
        median = statistics.median(found)
        same = "the same caption" if captions[name] == captions["plain"] else f"another caption: {captions[name]}"
        print(f"{name:<8}{median:>6.2f} s  (1/{first / median:.1f}; {min(found):.2f} to {max(found):.2f})  {same}")


if __name__ == "__main__":
    main()
