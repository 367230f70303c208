"""Tests in tiers: what every machine runs in minutes, and what takes an engine, a browser or patience.

`make test` runs those without a mark; `make test-rest` the others, `make test-all` both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

HERE = Path(__file__).parent
SLOW = (
    "faults",
    "image/convert/test_convert.py",
    "image/demo/test_training.py",
    "image/test_fuzz.py",
    "local/test_load.py",
    "model/test_convert.py",
    "test_package.py",
)
"""Folders and files whose tests all take long; of others, those with the mark."""
TIERS = {
    "docker": "need a Docker engine",
    "browser": "need Chromium",
    "slow": "take long",
}
"""Mark → what its tests are."""
_left_out = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    if gone := [path for path in SLOW if not (HERE / path).exists()]:
        raise pytest.UsageError(f"tests/tiers.py names what is not there: {', '.join(gone)}")
    config.stash[_left_out] = dict.fromkeys(TIERS, 0)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what lies in a tier's folder; what shares a module's fixtures stays in one process.

    The tests of the engine stay in one too, since they count its containers, and those of the browser share one.
    """
    path = item.path.relative_to(HERE)
    folder = path.parts[0]
    if folder in ("docker", "browser"):
        item.add_marker(folder)
    elif folder in SLOW or path.as_posix() in SLOW:
        item.add_marker("slow")
    if item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(folder if folder in ("docker", "browser") else path.as_posix()))


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        tier = next((tier for tier in TIERS if item.get_closest_marker(tier)), "")
        if tier:
            item.config.stash[_left_out][tier] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        cast("Any", session.config).workeroutput["left_out"] = session.config.stash[_left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - xdist's WorkerController
    """Each worker collects all tests, so that any of them tells what was left out."""
    if output := getattr(node, "workeroutput", None):
        node.config.stash[_left_out] = output["left_out"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash[_left_out]
    if not any(left_out.values()):
        return
    terminalreporter.section("left out")
    for tier, what in TIERS.items():
        if left_out[tier]:
            terminalreporter.line(f"{left_out[tier]:5} tests that {what}: make test-rest ARGS='-m {tier}'")
    terminalreporter.line("`make test-all` leaves none out; CONTRIBUTING.md says what they need.")
