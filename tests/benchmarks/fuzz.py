"""Pictures spoilt at random, and built to do harm, through a function process: no crash, no 5xx, bounds held.

python tests/benchmarks/fuzz.py [--count 20000] [--first 0] [--keep DIR]

Half are spoilt (tests/image/mutations.py), half built (tests/image/structures.py). Each comes again from its number:
--first N --count 1 --keep DIR puts both of it into a folder. The exit code is 1 if one was answered with a 5xx, crashed
the process, or took more than 2 s of CPU or 300 MB, child processes included.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from itertools import chain, zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOW, LARGE = 2.0, 300.0  # seconds of CPU, and MB


def main() -> int:
    parser = argparse.ArgumentParser(description="Spoilt pictures of every format through a function process.")
    parser.add_argument("--count", type=int, default=20_000, help="pictures (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "image")]

    from tests.function_process import DiedError, function_process
    from tests.image.hostile import post
    from tests.image.mutations import corpus, mutants
    from tests.image.structures import structures

    originals = corpus()
    answers: Counter[tuple[str, str]] = Counter()
    failed: list[str] = []
    began = time.perf_counter()
    settled, memory, slowest, largest = 0.0, 0.0, 0.0, 0.0
    half = arguments.count // 2
    built = structures(arguments.count - half, arguments.first)
    spoilt = chain.from_iterable(zip_longest(mutants(originals, half, arguments.first), built))
    left = arguments.count
    while left:  # a new process after each that died
        with function_process() as function:
            for number, name, data in filter(None, spoilt):
                left -= 1
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{number} {name.replace('/', ' ')}").write_bytes(data)
                try:
                    outcome = function.invoke(post(data))
                except DiedError as error:
                    failed.append(f"{number} ({name}): the process died, {error}")
                    break
                status = str(outcome.answer["statusCode"])
                kind = name if name.endswith(", built") else name.partition(",")[0].partition(" of ")[0]
                answers[kind, status] += 1
                slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.megabytes)
                if status.startswith("5") or outcome.seconds > SLOW or outcome.megabytes > LARGE:
                    cost = f"{outcome.seconds:.1f} s, {outcome.megabytes:.0f} MB"
                    failed.append(f"{number} ({name}): status {status} after {cost}")
                memory = function.memory
                if left >= arguments.count * 9 // 10:
                    settled = memory
    statuses = sorted({status for _, status in answers})
    print(f"{'format':<22}" + "".join(f"{status:>8}" for status in statuses))
    for kind in sorted({kind for kind, _ in answers}):
        print(f"{kind:<22}" + "".join(f"{answers[kind, status]:>8}" for status in statuses))
    seconds = time.perf_counter() - began
    print(
        f"{answers.total()} pictures, half of them spoilt from {len(originals)} originals and half built, in "
        f"{seconds:.0f} s: {len(failed)} failures; slowest {slowest:.2f} s of CPU, largest {largest:.0f} MB; "
        f"memory {settled:.0f} MB after a tenth, {memory:.0f} MB at the end"
    )
    for line in failed:
        print(line)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
