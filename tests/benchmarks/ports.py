"""Who may ask the local cloud for what: each port that it listens on, each kind of request, each kind of caller.

python tests/benchmarks/ports.py

Starts a local cloud of its own, deploys a function without a model to it, and prints a table of HTTP statuses. The exit
code is 1 if anybody but the user got more than a deployed API's own answer.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from lambdacap.events import silent  # noqa: E402 - after the path
from lambdacap.local import cloud  # noqa: E402
from lambdacap.operations import deploy  # noqa: E402
from lambdacap.settings import Settings  # noqa: E402
from tests import processes  # noqa: E402
from tests.command import NO_ENGINE  # noqa: E402
from tests.local.callers import ASKED, CALLERS, DEPLOYED, REGISTRY, Asking, ask, sent_by, status  # noqa: E402

REFUSED = (403,)


def main() -> int:
    os.environ["DOCKER_HOST"] = NO_ENGINE
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        try:
            settings = Settings(local=True, docker=False, image=ROOT / "tests" / "stub_image", home=home)
            url = deploy.deploy(settings, silent).deployment.url or ""
            return table(cloud.read_cloud(home), home, urlsplit(url).path)
        finally:
            cloud.discard(home, silent)


def table(here: cloud.Cloud, home: Path, api: str) -> int:
    """Print it; returns the exit code."""
    ports = sorted({place for pid in processes.belonging_to(home) for place in processes.addresses_of(pid)})
    print(f"listening: {', '.join(ports)}\n")
    open_ones = [Asking(DEPLOYED, method, api) for method in ("GET", "POST", "OPTIONS")]
    rows = [["request", "kind", *CALLERS]]
    wrong = ports != [f"127.0.0.1:{here.port}"]
    for asking in (*ASKED, *open_ones):
        statuses = [status(ask(here, sent_by(caller, asking, here))) for caller in CALLERS]
        path = asking.path.replace(api, "/restapis/…/_user_request_/")
        kind = "WebSocket" if "Upgrade" in asking.headers else asking.kind
        rows.append([f"{asking.method} {path}", kind, *map(str, statuses)])
        if asking.kind != DEPLOYED:
            challenged = (401,) if asking.kind == REGISTRY else ()
            wrong |= any(found not in REFUSED + challenged for found in statuses[:-1])
        else:
            wrong |= statuses[CALLERS.index("foreign Host")] not in REFUSED
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if not number:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
