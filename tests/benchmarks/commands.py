"""How long the commands take: median of several runs of the installed `lambdacap`, local cloud, function process.

python tests/benchmarks/commands.py [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("lambdacap")


def main() -> None:
    parser = argparse.ArgumentParser(description="How long the commands take.")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LAMBDACAP_HOME": f"{folder}/home", "PYTHONPATH": str(ROOT / "image")}

        def seconds(*arguments: str | Path) -> float:
            begin = time.perf_counter()
            subprocess.run(arguments, env=environment, check=True, capture_output=True)
            return time.perf_counter() - begin

        scene = Path(folder, "scene.jpg")
        seconds(sys.executable, "-m", "demo.paint", "--seed", "7", scene)
        print(f"{'command':<44} {'median':>8} {'best':>8}")
        for title, count, arguments in (
            ("python -c pass", runs, (sys.executable, "-c", "pass")),
            ("lambdacap --help", runs, (COMMAND, "--help")),
            ("lambdacap deploy --local --no-docker (first)", 1, (COMMAND, "deploy", "--local", "--no-docker")),
            ("lambdacap deploy --local --no-docker (no-op)", runs, (COMMAND, "deploy", "--local", "--no-docker")),
            ("lambdacap invoke", runs, (COMMAND, "invoke", scene)),
            ("lambdacap status", runs, (COMMAND, "status")),
            ("lambdacap teardown", 1, (COMMAND, "teardown", "--yes")),
        ):
            taken = [seconds(*arguments) for _ in range(count)]
            print(f"{title:<44} {statistics.median(taken):>6.2f} s {min(taken):>6.2f} s")


if __name__ == "__main__":
    main()
