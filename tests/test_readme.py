"""The README and docs/ name every command and option, and none that is not; their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from lambdacap.cli.app import app
from lambdacap.settings import Settings
from tests.pages import PAGES, ROOT, TEXT, typed


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's own Click
    """Every command by its words: `deploy`, `local start`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def options(command: Any) -> set[str]:  # noqa: ANN401
    """The long options of a command."""
    named = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {option for option in named if option.startswith("--")} | {"--help"}


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_there_are_some() -> None:
    assert len(COMMANDS) > 10
    assert len(typed(TEXT)) > 10


@pytest.mark.parametrize("line", sorted({line for line in typed(TEXT) if line.startswith("lambdacap")}))
def test_what_is_typed_exists(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    words = words[: words.index("|")] if "|" in words else words
    if words[0].startswith("-"):
        assert words[0] in {"--help", "--version", "--show-completion"}
        return
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    assert name in COMMANDS, f"no command {words[0]!r}"
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"\blambdacap {name}\b", TEXT)


@pytest.mark.parametrize("option", sorted({option for command in COMMANDS.values() for option in options(command)}))
def test_every_option_is_documented(option: str) -> None:
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", TEXT)


@pytest.mark.parametrize("setting", sorted(set(Settings.__dataclass_fields__) - {"given"}))
def test_every_setting_is_documented(setting: str) -> None:
    assert f"LAMBDACAP_{setting.upper()}" in TEXT
    # Where records are kept is nothing for a file to say.
    assert bool(re.search(rf"`{setting}`", TEXT)) == (setting != "home")


def test_every_variable_that_is_documented_exists() -> None:
    known = {f"LAMBDACAP_{setting.upper()}" for setting in Settings.__dataclass_fields__}
    # The demo's and the tests' own switches are the shell's, not settings.
    assert set(re.findall(r"LAMBDACAP_[A-Z_]+", TEXT)) <= known


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    run = {line.split()[1] for line in typed(TEXT) if line.startswith("make ")}
    named = set(re.findall(r"`make ([a-z-]+)", TEXT))
    assert run | named <= targets


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = ROOT if page == "README" else ROOT / "docs"
    for link in re.findall(r'(?:\]\(|srcset="|src=")([^)"\s]+)', PAGES[page]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = folder / path if path else folder / f"{page}.md"
        assert target.is_file(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE) if anchor else []
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, link
