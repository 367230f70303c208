"""A browser and a deployment of the demo model, each made once; a tab and a gateway of its own for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from demo.painter import render
from demo.scenes import random_scene
from playwright.sync_api import Browser, expect

from lambdacap.events import silent
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.settings import Settings
from tests.browser import chromium
from tests.browser.gateway import Gateway, before
from tests.browser.tab import Scene, Tab
from tests.conftest import without_engine

expect.set_options(timeout=20_000)  # ms; the machine may be busy with other things


def unavailable(reason: str) -> NoReturn:
    """Skips the test; fails it where a browser is promised to be there, so that CI cannot lose these tests."""
    if os.environ.get("TEST_REQUIRE_BROWSER"):
        pytest.fail(f"TEST_REQUIRE_BROWSER is set, but {reason}", pytrace=False)
    pytest.skip(f"{reason}: tests/browser/install installs one on Debian")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.executable()
    if path is None:
        unavailable("there is no Chromium")
    with chromium.running(path) as running:
        yield running


@pytest.fixture(scope="session")
def api(browser: Browser, cloud_home: Path) -> Iterator[str]:  # noqa: ARG001 - without a browser nothing is deployed
    """The URL of the demo model in the session's local cloud."""
    settings = Settings(name="browser", local=True, docker=False, home=cloud_home)
    # Not around the yield: the tests of tests/docker may run before this fixture ends.
    with without_engine():
        deployed = deploy.deploy(settings, silent)
    yield deployed.deployment.url or ""
    with without_engine():
        teardown(settings, silent)


@pytest.fixture
def gateway(api: str) -> Iterator[Gateway]:
    with before(api) as gateway:
        yield gateway


@pytest.fixture
def tab(browser: Browser, gateway: Gateway) -> Iterator[Tab]:
    """A tab with the page; the test fails when anything in it does, or when it asks anybody else.

    For somebody whom motion disturbs: captions are there at once, and the test need not watch them come.
    """
    with Tab.opened(browser, gateway.url, reduced_motion="reduce") as tab:
        yield tab


@pytest.fixture
def moving(browser: Browser, gateway: Gateway) -> Iterator[Tab]:
    """The same for everybody else."""
    with Tab.opened(browser, gateway.url) as tab:
        yield tab


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A picture that the demo model has never seen, and the one sentence that says what is there."""
    rng = np.random.default_rng(4)
    painted = random_scene(rng)
    file = tmp_path_factory.mktemp("scene") / "it's a scene.jpg"
    render(painted, rng).save(file, quality=92)
    return Scene(file, painted.caption())
