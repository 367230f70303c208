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
    "insight/test_policy.py",
    "local/test_load.py",
    "local/test_releases.py",
    "model/test_convert.py",
    "resources/test_as_aws.py",
    "resources/test_replaced.py",
    "test_interrupted.py",
    "test_invoke_models.py",
    "test_package.py",
    "test_pages.py",
    "test_side_by_side.py",
)
"""Folders and files whose tests all take long; of others, those with the mark."""
SHARING = ("docker", "browser")
"""Folders whose tests share what there is but one of on a machine: they run one after the other."""
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
    """Mark what lies in a tier's folder, or is listed above."""
    path = item.path.relative_to(HERE)
    if path.parts[0] in SHARING:
        item.add_marker(path.parts[0])
    elif path.parts[0] in SLOW or path.as_posix() in SLOW:
        item.add_marker("slow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's own
    """With `--dist loadfile`, give a process whole files, and of the folders in SHARING all of them."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc] # untyped
        def _split_scope(self, nodeid: str) -> str:
            folder = Path(nodeid).parts[1]
            return folder if folder in SHARING else str(super()._split_scope(nodeid))

    return ByFile(config, log)


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
