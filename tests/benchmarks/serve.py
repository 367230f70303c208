"""Seconds from a saved line to its answer, in `lambdacap serve`: python tests/benchmarks/serve.py [TEMPLATE]

The median of five changes of a project as `lambdacap init` writes it; beside it what the model itself takes to load.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import requests

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.command import Command
from tests.projects.served import serving

TIMES = 5


def main(template: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "project"
        command = Command(Path(made), Path(made) / "home", seconds=900)
        begun = time.perf_counter()
        command("init", folder, "--template", template)
        file = folder / "predictor.py"
        code = file.read_text("utf-8")
        command = Command(folder, Path(made) / "home", seconds=900)
        with serving(command) as served:
            example = next((folder / "examples").iterdir())
            kind = {".png": "image/png", ".wav": "audio/wav", ".txt": "text/plain", ".json": "application/json"}
            sent = {"Content-Type": kind.get(example.suffix, "application/octet-stream")}
            body = example.read_bytes()
            if example.suffix == ".json":
                body = json.dumps({"flat": json.loads(body)}).encode()
            requests.post(served.url, data=body, headers=sent, timeout=900).raise_for_status()
            first = time.perf_counter() - begun
            took = []
            for number in range(TIMES):
                title = f"Change {number}."
                file.write_text(code.replace(code.splitlines()[0], f'"""{title}"""'), "utf-8")
                began = time.perf_counter()
                while requests.get(f"{served.url}openapi.json", timeout=60).json()["info"]["title"] != title.strip("."):
                    pass
                took.append(time.perf_counter() - began)
        load = [_load(folder, command) for _ in range(TIMES)]
    print(f"{template}: {median(took):.2f} s from a saved line to its answer ({', '.join(f'{t:.2f}' for t in took)}),")
    print(f"of which the model's own import and setup take {median(load):.2f} s;")
    print(f"{first:.1f} s from `init` to the example's answer, with all that is installed first")


def _load(folder: Path, command: Command) -> float:
    """Seconds that Python takes to import the predictor, beside its own start."""
    (python,) = (command.home / "cache" / "environments").glob("*/bin/python")
    code = (
        "import json, time; t = time.perf_counter(); import predictor as p; "
        "getattr(p, 'setup', dict)(); print(json.dumps(time.perf_counter() - t))"
    )
    return float(json.loads(subprocess.check_output([python, "-c", code], cwd=folder)))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "text")
