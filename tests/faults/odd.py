"""Answers of AWS that are not as expected, to every command that reads them: a sentence, and nothing is lost.

python -m tests.faults.odd [--steps 300] [--seed S]

Each step runs a command while one or several of the answers that it gets are spoilt: a field is missing, or holds
something of another kind, a list is empty or tells a thing twice, the whole is something else. The command has to get
through, or to end with exit code 1 and a sentence. Undisturbed, the same deployment then has to come back, and to go.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.command import Result
from tests.faults.matrix import Bench, Standing, benches
from tests.faults.proxy import Call
from tests.servers import Reply

ODD: tuple[Any, ...] = (
    *(None, "", "x", "\x1b]0;owned\x07", 0, -1, 1.5, 2**70, True, [], {}, [{}], [None], {"x": 1}),
    *("2026-13-45T99:99:99Z", "arn:aws:lambda", "a\nerror: forged", float("inf")),
)
WHOLE = (b"", b"{", b"null", b"[]", b'"x"', b"{}", b"<html>a portal's page</html>", b"\xff\xfe\x00", b"<a><b></a>")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "--json"),
    ("logs",),
    ("bench", "--duration", "1s", "--cold", "1", "--yes"),
    ("bench", "--duration", "1s", "--cold", "0", "--memory", "512,1024", "--yes"),
    ("rollback",),
    ("config",),
    ("key",),
    ("doctor",),
    ("policy",),
    ("invoke", "photo.png"),
)


def spoilt(reply: Reply, chance: random.Random) -> Reply:
    """The answer with one thing in it that is odd."""
    if not reply.body or chance.random() < 0.1:
        return reply._replace(body=chance.choice(WHOLE))
    try:
        if reply.body.lstrip().startswith(b"<"):
            return reply._replace(body=_xml(reply.body, chance))
        content = json.loads(reply.body)
    except (ValueError, ElementTree.ParseError):  # CBOR: a byte of it
        body = bytearray(reply.body)
        body[chance.randrange(len(body))] = chance.randrange(256)
        return reply._replace(body=bytes(body))
    places = list(_places(content))
    if not places:
        return reply._replace(body=chance.choice(WHOLE))
    holder, key = chance.choice(places)
    _spoil(holder, key, chance)
    return reply._replace(body=json.dumps(content).encode())


def _places(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Each object or list in it, with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _spoil(holder: Any, key: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    how = chance.randrange(4)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder[key], list):
        holder[key] = [*holder[key], *holder[key]]
    elif how == 2 and isinstance(holder[key], list | dict):
        holder[key] = type(holder[key])()
    else:
        holder[key] = chance.choice(ODD)


def _xml(body: bytes, chance: random.Random) -> bytes:
    root = ElementTree.fromstring(body)  # noqa: S314 - the local cloud's own
    parents = [element for element in root.iter() if len(element)]
    if not parents:
        return chance.choice(WHOLE)
    parent = chance.choice(parents)
    child = chance.choice(list(parent))
    how = chance.randrange(3)
    if how == 0:
        parent.remove(child)
    elif how == 1:
        parent.append(child)
    else:
        child.text = chance.choice(("", "x", "-1", "%7B", "2026-13-45"))
        for inner in list(child):
            child.remove(inner)
    return ElementTree.tostring(root)


class Oddities:
    """Steps on one bench, each drawn from its number."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.counted: Counter[str] = Counter()
        self.failed: list[str] = []

    def command(self, chance: random.Random) -> list[object]:
        kind = chance.randrange(10)
        if kind == 0:
            return self.bench.arguments(None)
        if kind <= 3:
            return self.bench.arguments(Standing(None, chance.randrange(2), more=chance.random() < 0.5))
        if kind == 4:
            return [*self.bench.arguments(Standing(None, 0, more=True)), "--dry-run"]
        words = chance.choice(COMMANDS)
        return [*words, "--name", self.bench.name, "--local"]

    def step(self, number: int) -> None:
        """Runs a command with spoilt answers; what it should not have done is kept in `failed`."""
        chance = random.Random(number)  # noqa: S311 - no secret
        arguments = self.command(chance)
        first, share = chance.randrange(30), chance.choice((0, 0, 0.05, 0.3))
        told: list[str] = []

        def spoil(call: Call, reply: Reply) -> Reply:
            if len(self.bench.proxy.calls) - 1 != first and chance.random() >= share:
                return reply
            after = spoilt(reply, chance)
            told.append(f"  {call}: {reply.body[:1500]!r}\n   -> {after.body[:1500]!r}")
            return after

        self.bench.proxy.watch(None)
        self.bench.proxy.spoil = spoil
        result = self.bench.run(*arguments, "--debug")  # to see where it failed
        self.bench.proxy.spoil = lambda _, reply: reply
        self.counted[f"{arguments[0]} {'through' if result.code == 0 else 'a sentence'}"] += 1
        if wrong(result):
            self.failed.append(f"step {number}: {arguments}\n" + "\n".join(told) + f"\n{result.stderr}")

    def mend(self) -> None:
        """Undisturbed, what is wanted is made, and goes."""
        self.bench.proxy.watch(None)
        for target in (Standing(None, 0), None):
            for _ in range(2):  # twins of lost answers are found by the second run
                result = self.bench.run(*self.bench.arguments(target))
            if result.code != 0 and "nothing named" not in result.stderr:
                self.failed.append(f"undisturbed: {target}\n{result.stderr}")
        if left := self.bench.account.snapshot(self.bench.name):
            self.failed.append(f"left: {json.dumps(left)[:1000]}")


def wrong(result: Result) -> bool:
    said = result.stderr
    return (
        result.code not in (0, 1)
        or "lambdacap has a defect" in said
        or any(not (letter.isprintable() or letter in "\n\t") for letter in said + result.stdout)
    )


def run(bench: Bench, steps: range, tell: bool = False) -> Oddities:
    oddities = Oddities(bench)
    for number in steps:
        before = len(oddities.failed)
        oddities.step(number)
        if tell:
            print("\n".join(oddities.failed[before:]), end="\n" * (len(oddities.failed) > before), flush=True)
    oddities.mend()
    return oddities


def main() -> None:
    parser = argparse.ArgumentParser(description="Odd answers of AWS to every command.")
    parser.add_argument("--steps", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="the first step's number (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, benches(Path(folder), 1) as made:
        oddities = run(made[0], range(arguments.seed, arguments.seed + arguments.steps), tell=True)
    print(f"{arguments.steps} steps: {', '.join(f'{n} {what}' for what, n in sorted(oddities.counted.items()))}")
    print("\n".join(oddities.failed[-3:] if oddities.failed else ["none failed"]))
    sys.exit(bool(oddities.failed))


if __name__ == "__main__":
    main()
