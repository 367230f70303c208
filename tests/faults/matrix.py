"""Every AWS call of a deploy, a redeploy and a teardown × every fault: what becomes of the deployment?

python -m tests.faults.matrix [--workers 6] [--thorough] [--sample N] [--seed S]

The calls are those that undisturbed runs are seen to make. A command that meets a fault has to get through, or to
end with exit code 1 and a sentence that names the call; the same command, run again, has to come to the state of
undisturbed runs. What does not is lost, and printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from lambdacap.deployment.record import Deployment, Records
from lambdacap.events import silent
from lambdacap.local import cloud
from tests.command import Result
from tests.faults.account import Account
from tests.faults.commands import Commands, commands
from tests.faults.proxy import ALWAYS, FAULTS, ONCE, Call, Fault, Proxy, proxying

STUB = Path(__file__).parents[1] / "stub_image"
ACCOUNT, REGION = "000000000000", "us-east-1"
PASSING = ("throttled", "500", "503", "reset", "silence", "answered late", "carried out late", "truncated")
"""Faults that a second attempt may not meet; the others stay, or end the command."""
PHASES = ("deploy", "redeploy", "more", "less", "teardown")
"""`redeploy` changes the image and the memory; `more` adds the options of `MORE`, and `less` takes them away."""
_MORE = {
    "log-retention": 30,
    "rate": 5,
    "quota": 500,
    "reserved-concurrency": 5,
    "alarm-email": "owner@example.com",
    "budget": 20,
}
MORE = [word for option, value in _MORE.items() for word in (f"--{option}", value)]
AT_ONCE, SECOND, LOST = "at once", "second run", "lost"
NOT_MADE = "not made"
"""Of a call that only waits for Lambda, runs make more or fewer."""


class Standing(NamedTuple):
    """What is deployed: the image live before, if any, the one that is, and whether with the options of `MORE`."""

    previous: int | None
    image: int
    more: bool = False


@dataclass(frozen=True)
class Case:
    """One fault at one call of one phase."""

    phase: str
    call: Call
    kind: str
    lasting: str

    def __str__(self) -> str:
        return f"{self.phase}: {self.call} {self.kind} ({self.lasting})"


@dataclass(frozen=True)
class Outcome:
    case: Case
    fate: str
    story: str = ""


class LostError(AssertionError):
    """A case broke a promise; the text says which."""


class Bench:
    """One deployment, reached through one proxy: where cases are run, one after the other."""

    def __init__(self, name: str, proxy: Proxy, run: Commands, account: Account, images: tuple[Path, Path]) -> None:
        self.name, self.proxy, self.run, self.account, self.images = name, proxy, run, account, images
        self.standing: Standing | None = None
        """None when nothing is deployed."""
        self.expected: dict[Standing, dict[str, Any]] = {}
        """The states that undisturbed runs come to."""

    def arguments(self, target: Standing | None) -> list[object]:
        """Of the command that makes `target` of whatever stands."""
        if target is None:
            return ["teardown", "--yes", "--name", self.name, "--local"]
        # With a key, since that has the most calls.
        options = ["--memory", (1024, 2048)[target.image], "--image", self.images[target.image], "--auth", "key"]
        return ["deploy", "--local", "--no-docker", "--name", self.name, *options, *(MORE if target.more else [])]

    def bring(self, target: Standing | None) -> list[Call]:
        """Runs a command without any fault, and returns its calls."""
        self.proxy.watch(None)
        result = self.run(*self.arguments(target))
        assert result.code == 0, result
        self.standing = target
        found = self.account.snapshot(self.name)
        difference = _difference(self.expected.setdefault(target, found) if target else {}, found)
        assert difference == "", difference
        return self.proxy.calls

    def learn(self) -> dict[str, list[Call]]:
        """The calls of each phase, and every state between them.

        Of `more` those that a deploy without change does not make, and of `less` those that are neither's.
        """
        calls = {"deploy": self.bring(Standing(None, 0))}
        self.bring(Standing(None, 0, more=True))
        self.bring(Standing(None, 0))
        self.bring(Standing(0, 1))
        usual = set(self.bring(Standing(0, 1)))
        calls["more"] = [call for call in self.bring(Standing(0, 1, more=True)) if call not in usual]
        known = {call[:2] for call in [*usual, *calls["more"]]}
        calls["less"] = [call for call in self.bring(Standing(0, 1)) if call[:2] not in known]
        calls["redeploy"] = self.bring(Standing(1, 0))
        self.bring(Standing(1, 0, more=True))
        calls["teardown"] = self.bring(None)
        return calls

    def prepare(self, phase: str) -> Standing | None:
        """Bring about what the phase starts from; returns what it makes of it."""
        if phase == "deploy":
            if self.standing:
                self.bring(None)
            return Standing(None, 0)
        more = phase in ("less", "teardown")
        if self.standing is None:
            self.bring(Standing(None, 0, more=phase == "teardown"))
        standing = self.standing or Standing(None, 0)
        if standing.more != more:
            standing = standing._replace(more=more)
            self.bring(standing)
        if phase == "teardown":
            return None
        if standing.previous is None:
            standing = Standing(0, 1, more=more)
            self.bring(standing)
        if phase == "redeploy":
            return Standing(standing.image, 1 - standing.image)
        return standing._replace(more=not more)

    def clear(self) -> None:
        """Whatever is there: away with it, so that one lost case does not spoil the next."""
        self.proxy.watch(None)
        for _ in range(3):
            self.run(*self.arguments(None))
        self.standing = None

    def try_out(self, case: Case) -> Outcome:
        try:
            return Outcome(case, self._try_out(case, self.prepare(case.phase)))
        except (LostError, AssertionError) as error:
            self.clear()
            return Outcome(case, LOST, str(error))

    def _try_out(self, case: Case, target: Standing | None) -> str:
        arguments = self.arguments(target)
        fault = Fault(case.call, case.kind, case.lasting)
        self.proxy.watch(fault, self.run.kill)
        first = self.run(*arguments)
        self.proxy.watch(None)
        if fault.met:
            _check_words(first, case)
        if first.code == 0 and self._difference(target) == "":
            fate = AT_ONCE if fault.met else NOT_MADE
        else:
            # A lost answer may leave a twin behind, of which the run that met it cannot know.
            second = self.run(*arguments)
            # What a teardown had left to do may have been nothing but to say so.
            done = target is None and "nothing named" in second.stderr
            if second.code != 0 and not done:
                raise LostError(f"the second run failed: {second.stderr}")
            if difference := self._difference(target):
                raise LostError(f"after the second run: {difference}\n{second.stderr}")
            fate = SECOND
        self.standing = target
        return fate

    def _difference(self, target: Standing | None) -> str:
        """In what the state differs from that of undisturbed runs; empty: in nothing."""
        return _difference(self.expected[target] if target else {}, self.account.snapshot(self.name))


def _check_words(result: Result, case: Case) -> None:
    if case.kind.startswith("killed"):
        if result.code != -9:
            raise LostError(f"it was not killed: {result}")
        return
    if result.code not in (0, 1):
        raise LostError(f"exit code {result.code}: {result.stderr}")
    if "Traceback" in result.stderr or "defect" in result.stderr:
        raise LostError(f"no clear error: {result.stderr}")
    if result.code == 1 and case.call.operation not in result.stderr:
        raise LostError(f"the call is not named: {result.stderr}")


def _difference(expected: Any, found: Any, path: str = "") -> str:  # noqa: ANN401 - JSON
    if isinstance(expected, dict) and isinstance(found, dict):
        lines = [
            _difference(expected.get(key), found.get(key), f"{path}/{key}")
            for key in sorted(expected.keys() | found.keys())
            if expected.get(key) != found.get(key)
        ]
        return "\n".join(lines)
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(index, *pair) for index, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1]]
        return "\n".join(_difference(old, new, f"{path}[{index}]") for index, old, new in pairs)
    if expected == found:
        return ""
    return f"{path}: expected {json.dumps(expected)[:600]}, found {json.dumps(found)[:600]}"


@contextmanager
def benches(folder: Path, number: int) -> Iterator[list[Bench]]:
    """So many deployments in one local cloud, each with a proxy and a state folder of its own."""
    home = folder / "cloud"
    started = cloud.start(home, silent)
    images = (folder / "image-0", folder / "image-1")
    for index, image in enumerate(images):
        shutil.copytree(STUB, image)
        (image / "version.txt").write_text(str(index), "utf-8")
    try:
        with contextlib.ExitStack() as stack:
            made: list[Bench] = []
            for index in range(number):
                own = folder / f"home-{index}"
                (own / "local").mkdir(parents=True)
                # Functions run from the cloud's copies of images, whoever made those.
                (home / "local" / "images").mkdir(exist_ok=True)
                for name in ("images", "secret", "cloud.pid"):
                    (own / "local" / name).symlink_to(home / "local" / name)
                # A record keeps the cloud from being stopped with the last teardown.
                Records(own).save(Deployment("keeps-the-cloud", target="local", account=ACCOUNT, region=REGION))
                proxy = stack.enter_context(proxying(started.endpoint))
                cloud.write_cloud(own, replace(started, endpoint=proxy.url))
                working = folder / f"folder-{index}"
                working.mkdir()
                run = stack.enter_context(commands(working, own))
                made.append(Bench(f"fault-{index}", proxy, run, Account(started, own), images))
            yield made
    finally:
        cloud.discard(home, silent)


def cases(calls: dict[str, list[Call]], *, thorough: bool = False) -> list[Case]:
    """Every call × every fault. What may pass meets one attempt or all, in turns; both if it is to be `thorough`."""
    found = []
    for phase in PHASES:
        for index, call in enumerate(calls[phase]):
            for turn, kind in enumerate(FAULTS, index):
                if kind not in PASSING:
                    lasting = [ALWAYS]
                else:
                    lasting = [ONCE, ALWAYS] if thorough else [(ONCE, ALWAYS)[turn % 2]]
                found += [Case(phase, call, kind, how) for how in lasting]
    return found


def sample(everything: list[Case], number: int, seed: int) -> list[Case]:
    """So many of the cases, every kind of fault among them if there is room, in the order of the phases."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    shuffled = chance.sample(everything, len(everything))
    first_of_kind = {(case.kind, case.lasting): case for case in reversed(shuffled)}
    rest = [case for case in shuffled if case not in first_of_kind.values()]
    chosen = [*first_of_kind.values(), *rest][:number]
    return sorted(chosen, key=everything.index)


def run_all(made: list[Bench], chosen: list[Case], tell: bool = False) -> list[Outcome]:
    """Every case on some bench; the benches work side by side."""
    waiting: SimpleQueue[Case] = SimpleQueue()
    for case in chosen:
        waiting.put(case)
    outcomes: list[Outcome] = []

    def work(bench: Bench) -> None:
        while not waiting.empty():
            outcome = bench.try_out(waiting.get())
            outcomes.append(outcome)
            if tell and outcome.fate == LOST:
                print(f"LOST {outcome.case}\n{outcome.story}\n", flush=True)
            elif tell and len(outcomes) % 50 == 0:
                print(f"{len(outcomes)} of {len(chosen)}", file=sys.stderr, flush=True)
        bench.clear()

    with ThreadPoolExecutor(len(made)) as pool:
        for done in [pool.submit(work, bench) for bench in made]:
            done.result()
    return outcomes


def table(calls: dict[str, list[Call]], outcomes: list[Outcome]) -> str:
    lines = [
        f"{'':<10}{'calls':>7}{'cases':>7}{'survived at once':>19}{'on the second run':>20}{'lost':>6}{'not made':>10}"
    ]
    for phase in (*PHASES, "all"):
        mine = [o for o in outcomes if phase in (o.case.phase, "all")]
        count = Counter(outcome.fate for outcome in mine)
        number = sum(map(len, calls.values())) if phase == "all" else len(calls[phase])
        lines.append(
            f"{phase:<10}{number:>7}{len(mine):>7}{count[AT_ONCE]:>19}{count[SECOND]:>20}{count[LOST]:>6}{count[NOT_MADE]:>10}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Every AWS call × every fault.")
    parser.add_argument("--workers", type=int, default=6, help="default: %(default)s")
    parser.add_argument(
        "--thorough", action="store_true", help="each fault that may pass as one attempt's and as all's"
    )
    parser.add_argument("--sample", type=int, help="only so many cases")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: %(default)s)")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    arguments = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, benches(Path(folder), arguments.workers) as made:
        with ThreadPoolExecutor(len(made)) as pool:
            calls, *_ = pool.map(Bench.learn, made)
        chosen = [case for case in cases(calls, thorough=arguments.thorough) if arguments.only in str(case)]
        if arguments.sample:
            chosen = sample(chosen, arguments.sample, arguments.seed)
        outcomes = run_all(made, chosen, tell=True)
    print(table(calls, outcomes))
    print(f"{len(FAULTS)} faults; {time.monotonic() - begin:.0f} s")
    sys.exit(any(outcome.fate == LOST for outcome in outcomes))


if __name__ == "__main__":
    main()
