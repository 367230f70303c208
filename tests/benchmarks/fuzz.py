"""Spoilt pictures of every format through a function process: no crash, no 5xx, no growth of its memory.

python tests/benchmarks/fuzz.py [--count 10000] [--first 0] [--keep DIR]

Each picture comes again from its number: --first N --count 1 --keep DIR puts it into a folder. The exit code is 1 if
one was answered with a 5xx, crashed the process or kept it busy for more than 5 s.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOW = 5.0  # seconds of CPU


def main() -> int:
    parser = argparse.ArgumentParser(description="Spoilt pictures of every format through a function process.")
    parser.add_argument("--count", type=int, default=10_000, help="pictures (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "image")]

    from tests.function_process import DiedError, function_process
    from tests.image.hostile import post
    from tests.image.mutations import corpus, mutants

    originals = corpus()
    answers: Counter[tuple[str, str]] = Counter()
    failed: list[str] = []
    began = time.perf_counter()
    settled, memory, slowest = 0.0, 0.0, 0.0
    spoilt = mutants(originals, arguments.count, arguments.first)
    left = arguments.count
    while left:  # a new process after each that died
        with function_process() as function:
            for number, name, data in spoilt:
                left -= 1
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / str(number)).write_bytes(data)
                try:
                    outcome = function.invoke(post(data))
                except DiedError as error:
                    failed.append(f"{number} ({name}): the process died, {error}")
                    break
                status = str(outcome.answer["statusCode"])
                answers[name.partition(",")[0].partition(" of ")[0], status] += 1
                slowest = max(slowest, outcome.seconds)
                if status.startswith("5") or outcome.seconds > SLOW:
                    failed.append(f"{number} ({name}): status {status} after {outcome.seconds:.1f} s")
                memory = function.memory
                if left >= arguments.count * 9 // 10:
                    settled = memory
    statuses = sorted({status for _, status in answers})
    print(f"{'format':<8}" + "".join(f"{status:>8}" for status in statuses))
    for kind in sorted({kind for kind, _ in answers}):
        print(f"{kind:<8}" + "".join(f"{answers[kind, status]:>8}" for status in statuses))
    print(
        f"{answers.total()} spoilt pictures of {len(originals)} originals in {time.perf_counter() - began:.0f} s: "
        f"{len(failed)} failures; slowest {slowest:.2f} s of CPU; memory {settled:.0f} MB after a tenth, "
        f"{memory:.0f} MB at the end"
    )
    for line in failed:
        print(line)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
