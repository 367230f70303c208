"""Every body that is no picture, or a bomb × the answer: through a function process over the demo model.

python tests/benchmarks/hostile.py

CPU seconds, and by how much the process's memory peaked. The exit code is 1 if an answer is not the one that is due.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


def main() -> int:
    sys.path[:0] = [str(ROOT), str(ROOT / "image")]
    from demo.painter import render
    from demo.scenes import random_scene

    from tests.function_process import function_process
    from tests.image.hostile import bodies, bombs, post
    from tests.image.samples import encode

    rng = np.random.default_rng(7)
    photo = encode(render(random_scene(rng), rng), "JPEG", quality=90)
    wrong = 0
    print(f"{'body':<42} {'kB':>6} {'status':>6} {'CPU':>8} {'memory':>8}  answer")
    with function_process() as function:
        expected = json.loads(function.invoke(post(photo)).answer["body"])
        for hostile in (*bodies(photo), *bombs()):
            outcome = function.invoke(hostile.event)
            size = len(str(hostile.event.get("body") or "")) * 3 // 4 / 1000
            body = json.loads(outcome.answer["body"])
            said = body["error"]["message"] if "error" in body else "a caption"
            status = outcome.answer["statusCode"]
            wrong += status != hostile.status
            cost = f"{outcome.seconds:>6.2f} s {outcome.megabytes:>5.0f} MB"
            print(f"{hostile.name:<42} {size:>6.0f} {status:>6} {cost}  {said[:90]}")
        alive = json.loads(function.invoke(post(photo)).answer["body"]) == expected
    print(f"{wrong} wrong answers; the photo's caption afterwards: {'the same' if alive else 'ANOTHER'}")
    return int(bool(wrong) or not alive)


if __name__ == "__main__":
    sys.exit(main())
