"""The pages that people read: the README and docs/, and what is typed in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
TEXT = "\n".join(PAGES.values())


def blocks(text: str) -> list[list[str]]:
    """The lines typed in each console block; a line that ends with a backslash goes on."""
    found = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    joined = [block.replace("\\\n", " ").splitlines() for block in found]
    return [[line.removeprefix("$ ") for line in lines if line.startswith("$ ")] for lines in joined]


def typed(text: str) -> list[str]:
    """The lines typed in all of them."""
    return [line for block in blocks(text) for line in block]
