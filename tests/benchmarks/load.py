"""Sustained load on the local cloud: requests served, latency, errors, memory; overload; a crash in the middle.

python tests/benchmarks/load.py [--requests 10000] [--docker]

Deploys the demo model to a local cloud of its own, whose functions run as processes, or with --docker as containers.
The load comes from wrk (https://github.com/wg/wrk; Debian: apt-get install wrk), over 127.0.0.1. The exit code is 1 if
anything was answered that is not due.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("lambdacap")
TIMEOUT = 30  # seconds, after which wrk counts a request as late


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    statuses: Counter[str]
    seconds: float
    latency: tuple[float, float, float, float]  # ms: median, 95th and 99th percentile, longest
    lost: int  # broken connections and late answers

    @property
    def requests(self) -> int:
        return self.statuses.total()


@dataclass(frozen=True)
class Target:
    """The deployed function, and where its processes are found."""

    home: Path
    url: str
    photo: Path

    def load(self, connections: int, seconds: int) -> Load:
        threads = min(2, connections)
        command = ["wrk", "-t", threads, "-c", connections, "-d", seconds, "--timeout", TIMEOUT]
        command += ["-s", Path(__file__).with_suffix(".lua"), self.url]
        environment = {**os.environ, "PHOTO": str(self.photo)}
        done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=True)
        time.sleep(2)  # wrk hangs up on what it asked last, which is answered all the same
        seen = json.loads(done.stdout.splitlines()[-1])
        latency = (seen["p50"], seen["p95"], seen["p99"], seen["max"])
        return Load(Counter(seen["statuses"]), seen["seconds"], latency, seen["broken"] + seen["late"])

    def processes(self) -> list[int]:
        """Function processes, which work in the copy of the image folder."""
        from tests.processes import working_in

        return working_in(self.home / "local" / "images")

    def kill(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def memory(self) -> float:
        """MB of all function processes together."""
        statuses = (Path(f"/proc/{pid}/status").read_text("ascii") for pid in self.processes())
        lines = (line for status in statuses for line in status.splitlines() if line.startswith("VmRSS"))
        return sum(int(line.split()[1]) for line in lines) / 1000


def main() -> int:
    parser = argparse.ArgumentParser(description="Sustained load on the local cloud.")
    parser.add_argument("--requests", type=int, default=10_000, help="of sustained load (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="of each shorter load (default: %(default)s)")
    parser.add_argument("--docker", action="store_true", help="containers instead of processes")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing, which makes the load. On Debian: apt-get install wrk")
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LAMBDACAP_HOME": f"{folder}/home", "PYTHONPATH": str(ROOT / "image")}

        def run(*command: str | Path) -> str:
            done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
            return done.stdout

        photo = Path(folder, "scene.jpg")
        run(sys.executable, "-m", "demo.paint", "--seed", "7", photo)
        try:
            deploy = "--docker" if arguments.docker else "--no-docker"
            unbound = ("--rate", "1000", "--burst", "1000")  # the gateway lets pass what the function has to bear
            url = json.loads(run(COMMAND, "deploy", "--local", deploy, "--weights", "demo", *unbound, "--json"))["url"]
            return measure(Target(Path(folder, "home"), url, photo), arguments)
        finally:
            run(COMMAND, "teardown", "--yes")


def measure(target: Target, arguments: argparse.Namespace) -> int:
    """All loads in turn; prints a table. Returns the exit code."""
    from lambdacap.local.cloud import CONCURRENCY

    print(f"{'load':<26}{'at once':>8}{'requests':>9}{'a second':>9}{'200':>7}{'429':>7}{'502':>5}{'lost':>5}", end="")
    print(f"{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}   memory")
    wrong = 0
    for connections in (1, 2, CONCURRENCY):
        before = target.memory()
        load = target.load(connections, arguments.seconds)
        wrong += row("as much as it can take", connections, load, before, target.memory()) - load.statuses["200"]
    before, served, loads = target.memory(), 0, []
    while served < arguments.requests:
        loads.append(target.load(2, 3 * arguments.seconds))
        served += loads[-1].requests
    wrong += row("sustained", 2, together(loads), before, target.memory()) - sum(load.statuses["200"] for load in loads)
    before = target.memory()
    load = target.load(4 * CONCURRENCY, arguments.seconds)
    wrong += (
        row("too much", 4 * CONCURRENCY, load, before, target.memory()) - load.statuses["200"] - load.statuses["429"]
    )
    if not arguments.docker:
        before = target.memory()
        crash = threading.Timer(arguments.seconds / 2, target.kill)
        crash.start()
        load = target.load(2, arguments.seconds)
        crash.join()
        lost = row("all processes killed once", 2, load, before, target.memory()) - load.statuses["200"]
        wrong += lost if lost != load.statuses["502"] or lost > 2 else 0
    print(f"{wrong} answers that are not due")
    return int(bool(wrong))


def together(loads: list[Load]) -> Load:
    """Several as one; of the percentiles the worst."""
    statuses = sum((load.statuses for load in loads), Counter[str]())
    latency = tuple(max(values) for values in zip(*(load.latency for load in loads), strict=True))
    return Load(statuses, sum(load.seconds for load in loads), latency, sum(load.lost for load in loads))


def row(title: str, connections: int, load: Load, before: float, after: float) -> int:
    """Prints a line of the table; gives the number of all requests, lost ones too."""
    statuses = load.statuses
    print(f"{title:<26}{connections:>8}{load.requests:>9}{load.requests / load.seconds:>9.1f}", end="")
    print(f"{statuses['200']:>7}{statuses['429']:>7}{statuses['502']:>5}{load.lost:>5}", end="")
    print("".join(f"{value:>6.0f} ms" for value in load.latency) + f"   {before:.0f} → {after:.0f} MB", flush=True)
    return load.requests + load.lost


if __name__ == "__main__":
    sys.exit(main())
