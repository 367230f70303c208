"""`lambdacap open`: the web page in the browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from lambdacap.cli.console import Console
from lambdacap.cli.options import command
from lambdacap.settings import Settings

Configure = Callable[..., Settings]


@command
def open_page(configure: Configure, console: Console) -> None:
    """Open the web page in the browser, and print its address."""
    import webbrowser

    from lambdacap.operations.status import locate

    deployment = locate(configure())
    url = deployment.url or ""
    shown = _has_display() and webbrowser.open(url)
    if not shown:
        console.note("there is no browser here to open it in")
    if deployment.resources["api"].get("auth") == "key":
        console.note("the page asks for the key: `lambdacap key` shows it")
    console.address(url, {"url": url, "opened": shown})


def _has_display() -> bool:
    # Without one Python takes a browser for terminals, if it finds any, and that takes the terminal.
    variables = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(variable) for variable in variables)
