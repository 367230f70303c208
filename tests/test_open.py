"""`lambdacap open`, and the address that `deploy` prints: as a link in a terminal, plain elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lambdacap.operations import deploy
from tests.command import Command

BROWSER = """#!/bin/sh
printf '%s' "$1" > "$0.opened"
exit {code}
"""


@pytest.fixture
def browser(tmp_path: Path) -> Callable[[int], Path]:
    """A browser by the variable BROWSER that notes what it is to open, and ends with an exit code."""

    def make(code: int) -> Path:
        path = tmp_path / "browser"
        path.write_text(BROWSER.format(code=code))
        path.chmod(0o755)
        return path

    return make


def opened_with(shared: Command, browser: Path) -> Command:
    return replace(shared, environ={**shared.environ, "BROWSER": str(browser)})


def test_the_page_is_opened(shared: Command, deployed: deploy.Deployed, browser: Callable[[int], Path]) -> None:
    path = browser(0)
    result = opened_with(shared, path)("open")
    assert result.stdout.strip() == deployed.deployment.url
    assert result.stderr == ""
    assert path.with_name("browser.opened").read_text() == deployed.deployment.url


@pytest.mark.parametrize("there", [True, False], ids=["it fails", "there is none"])
def test_without_a_browser_the_address_is_printed(
    shared: Command, deployed: deploy.Deployed, browser: Callable[[int], Path], there: bool
) -> None:
    result = (opened_with(shared, browser(1)) if there else shared)("open", "--json")
    assert result.data == {"url": deployed.deployment.url, "opened": False}
    assert "no browser here" in result.stderr


def test_a_terminal_gets_a_link(shared: Command, deployed: deploy.Deployed) -> None:
    """The escape sequence for links: https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda."""
    screen, terminal = pty.openpty()
    with os.fdopen(screen, "rb") as shown, os.fdopen(terminal, "wb") as stdout:
        subprocess.run(
            [shared.executable, "open"],
            cwd=shared.folder,
            env={**shared.environment, "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
        text = os.read(shown.fileno(), 4096).decode()
    url = re.escape(deployed.deployment.url or "")
    assert re.fullmatch(rf"\x1b\]8;[^;]*;{url}\x1b\\(?:\x1b\[\d*m)*{url}(?:\x1b\[\d*m)*\x1b\]8;;\x1b\\\r\n", text), (
        repr(text)
    )
