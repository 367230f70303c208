"""The published way against ours, side by side: time to the first caption, warm captions, memory, disk.

python tests/benchmarks/model.py [--runs 7] [--folder DIR] [--plot plot.svg]

Makes a model of the published format and full size (random weights, see tests/published/make.py), converts it, and
runs fresh processes in turns. "plain" is the published code: joblib.load, torch and torchvision, gradients on. Times
to the first caption are from the process's start, interpreter included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdacap.events import silent
from lambdacap.model.convert import Conversion, convert_once

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "benchmarks"
PICTURES = 32
WARM = 8  # captions, after two that are not counted

PLAIN = """
import sys, json, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from captioner.torch_network import resnet_class
resnet_class()
from tests.published import under_published_names
under_published_names()
import joblib
from PIL import Image
model = joblib.load(sys.argv[1])
def caption(file):
    with Image.open(file) as image:
        return " ".join(model(image).words)
"""
OURS = """
import sys, json, time
from pathlib import Path
import captioner
from PIL import Image
captioner.setup(Path(sys.argv[1]))
def caption(file):
    with Image.open(file) as image:
        return captioner.predict(image)["caption"]
"""
REST = """
files = sorted(Path(sys.argv[2]).glob("*.jpg"))
caption(files[0])
print("first", flush=True)
warm = []
for file in (files * 2)[: 2 + int(sys.argv[3])]:
    begin = time.perf_counter()
    caption(file)
    warm.append(time.perf_counter() - begin)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
said = [caption(file) for file in files] if sys.argv[4] == "all" else []
print(json.dumps({"warm": warm[2:], "peak": peak * 1024, "captions": said}), flush=True)
"""


@dataclass(frozen=True)
class Way:
    """One of the contenders: its program, and the model that it gets."""

    name: str
    program: str
    model: Path

    @property
    def size(self) -> int:
        """Bytes on disk."""
        files = self.model.iterdir() if self.model.is_dir() else [self.model]
        return sum(file.stat().st_size for file in files)

    def run(self, pictures: Path, cores: int, *, say_all: bool) -> dict[str, Any]:
        """One fresh process on so many cores."""
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'image'}:{ROOT}"}
        # As Lambda tells the function how much CPU it has.
        environment |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(1769 * cores)}
        program = self.program + REST
        command = [sys.executable, "-c", program, self.model, pictures, str(WARM), "all" if say_all else "some"]
        allowed = sorted(os.sched_getaffinity(0))[-cores:]
        begin = time.perf_counter()
        with subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, allowed)), *map(str, command)],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "first\n", self.name
            first = time.perf_counter() - begin
            rest: dict[str, Any] = json.loads(process.stdout.read())
        return {"first": first, **rest}


def main() -> None:
    parser = argparse.ArgumentParser(description="The published way against ours.")
    parser.add_argument("--runs", type=int, default=7, help="fresh processes of each (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where model and bundles are made and kept")
    parser.add_argument("--plot", type=Path, default=FOLDER / "model.svg", help="default: %(default)s")
    parser.add_argument("--cores", type=int, nargs="+", default=[2, 1])
    arguments = parser.parse_args()
    folder = arguments.folder
    ways = prepare(folder)
    rows = [row for cores in arguments.cores for row in measure(ways, folder / "pictures", cores, arguments.runs)]
    arguments.plot.write_text(plot(rows), "utf-8")
    print(f"plot: {arguments.plot}")


def prepare(folder: Path) -> list[Way]:
    """Model, bundles and pictures in `folder`; what is there is kept, bundles while the converter is the same."""
    folder.mkdir(parents=True, exist_ok=True)
    model, pictures = folder / "model.pickle", folder / "pictures"
    if not model.exists():
        print("making a model of full size, which takes minutes", flush=True)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'image'}:{ROOT}"}
        command = [sys.executable, "-m", "tests.published.make", "full", str(model)]
        subprocess.run(command, env=environment, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    fp32 = convert_once(model, folder, Conversion(), silent)
    int8 = convert_once(model, folder, Conversion(quantize="int8"), silent)
    if not pictures.exists():
        pictures.mkdir()
        sys.path.insert(0, str(ROOT / "image"))
        from convert.pictures import synthetic

        for index, picture in enumerate(synthetic(PICTURES)):
            picture.save(pictures / f"{index:02}.jpg", quality=92)
    return [Way("plain", PLAIN, model), Way("fp32", OURS, fp32), Way("int8", OURS, int8)]


def measure(ways: list[Way], pictures: Path, cores: int, runs: int) -> list[dict[str, Any]]:
    """Medians of `runs` processes of each way, in turns; prints them as a table."""
    results: dict[str, list[dict[str, Any]]] = {way.name: [] for way in ways}
    for turn in range(runs):
        for way in ways:
            results[way.name].append(way.run(pictures, cores, say_all=turn == 0))
    rows: list[dict[str, Any]] = []
    print(f"\n{cores} core{'s' * (cores > 1)}, medians of {runs} processes in turns, in brackets the share of plain")
    print(f"{'':<8}{'first caption':>20}{'warm caption':>20}{'peak memory':>20}{'disk':>10}{'equal captions':>18}")
    for way in ways:
        found = results[way.name]
        row: dict[str, Any] = {
            "cores": cores,
            "way": way.name,
            "first": statistics.median(one["first"] for one in found),
            "warm": statistics.median(statistics.median(one["warm"]) for one in found),
            "peak": statistics.median(one["peak"] for one in found),
        }
        rows.append(row)
        said, expected = found[0]["captions"], results["plain"][0]["captions"]
        equal = sum(one == other for one, other in zip(said, expected, strict=True))
        cells = [f"{row['first']:.2f} s", f"{1e3 * row['warm']:.0f} ms", f"{row['peak'] / 1e6:.0f} MB"]
        for index, key in enumerate(("first", "warm", "peak")):
            share = row[key] / rows[0][key]
            cells[index] += f" (1/{1 / share:.1f})" if key != "peak" else f" ({share:.2f})"
        print(
            f"{way.name:<8}{cells[0]:>20}{cells[1]:>20}{cells[2]:>20}{way.size / 1e6:>7.0f} MB"
            f"{f'{equal} of {len(said)}':>18}",
            flush=True,
        )
    return rows


def plot(rows: list[dict[str, Any]]) -> str:
    """Bars as SVG: one panel for each of the three quantities."""
    panels = [("first", "first caption, s", 1.0), ("warm", "warm caption, ms", 1e3), ("peak", "peak memory, MB", 1e-6)]
    colours = {"plain": "#8a8f98", "fp32": "#2563eb", "int8": "#0d9488"}
    height, width = 22, 300
    parts = []
    for panel, (key, title, scale) in enumerate(panels):
        left = 20 + panel * (width + 40)
        largest = max(row[key] for row in rows)
        parts.append(f'<text x="{left}" y="20" font-weight="bold">{title}</text>')
        for index, row in enumerate(rows):
            y = 34 + index * (height + 6)
            bar = max(1, (width - 150) * row[key] / largest)
            label = f"{row['way']}, {row['cores']} core{'s' * (row['cores'] > 1)}"
            value = f"{row[key] * scale:.{0 if row[key] * scale >= 10 else 2}f}"
            parts.append(f'<text x="{left}" y="{y + 15}">{label}</text>')
            parts.append(
                f'<rect x="{left + 95}" y="{y}" width="{bar:.0f}" height="{height}" fill="{colours[row["way"]]}"/>'
            )
            parts.append(f'<text x="{left + 100 + bar:.0f}" y="{y + 15}">{value}</text>')
    total = 50 + len(rows) * (height + 6)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{3 * (width + 40) + 20}" height="{total}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )


if __name__ == "__main__":
    main()
