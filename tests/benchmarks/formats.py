"""Every form of picture × what comes of it: a scene of the demo, in each of them, through the handler.

python tests/benchmarks/formats.py [--seed 7]

"same" is the caption of the plain PNG, or for what is grey that of the grey PNG.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description="Every form of picture × what comes of it.")
    parser.add_argument("--seed", type=int, default=7, help="another number, another scene (default: %(default)s)")
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "image")]
    os.environ["MODEL_DIR"] = str(ROOT / "image" / "demo" / "bundle")
    from demo.painter import render
    from demo.scenes import random_scene

    from tests.image.samples import samples

    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        from handler import handler
    rng = np.random.default_rng(arguments.seed)
    scene = render(random_scene(rng), rng)
    captions: dict[str, str] = {}
    same = {"colour": 0, "grey": 0}
    total = {"colour": 0, "grey": 0}
    print(f"{'form':<32} {'bytes':>9} {'status':>6} {'decode':>9}  caption")
    for sample in samples(scene):
        event = {
            "httpMethod": "POST",
            "headers": {"Content-Type": "image/*"},
            "body": base64.b64encode(sample.data).decode(),
            "isBase64Encoded": True,
        }
        with contextlib.redirect_stdout(log):
            answer = handler(event)
        entry = json.loads(log.getvalue().splitlines()[-1])
        body = json.loads(str(answer["body"]))
        caption = body.get("caption") or body["error"]["message"]
        said = caption
        if sample.looks in same:
            total[sample.looks] += 1
            same[sample.looks] += captions.setdefault(sample.looks, caption) == caption
            said = "same" if captions[sample.looks] == caption and total[sample.looks] > 1 else caption
        status, took = answer["statusCode"], entry["decode_ms"]
        print(f"{sample.name:<32} {len(sample.data):>9} {status:>6} {took:>6.1f} ms  {said}")
    for looks, count in total.items():
        print(f"{looks}: {same[looks]} of {count} have the same caption")


if __name__ == "__main__":
    main()
