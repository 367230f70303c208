"""Help as people read it: commands and options in groups, whole summaries, an example; and without Rich's weight."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

from lambdacap.settings import DECLARATIONS

HEADINGS = BEGIN, DEPLOY, USE, LOOK, STEPS, MORE = ("Your own model", "Deploy", "Use", "Look", "Step by step", "More")
"""What commands stand under, in this order."""
_SYNONYMS = {
    **dict.fromkeys(("delete", "destroy", "down", "remove", "rm", "undeploy", "uninstall"), "teardown"),
    **dict.fromkeys(("apply", "publish", "ship", "up"), "deploy"),
    **dict.fromkeys(("create", "new", "startproject"), "init"),
    **dict.fromkeys(("dev", "start", "watch"), "serve"),
    **dict.fromkeys(("call", "caption", "predict"), "invoke"),
    **dict.fromkeys(("deployments", "ls", "ps"), "list"),
    **dict.fromkeys(("log", "tail"), "logs"),
    **dict.fromkeys(("info", "show"), "status"),
    **dict.fromkeys(("settings",), "config"),
    **dict.fromkeys(("benchmark", "measure"), "bench"),
    **dict.fromkeys(("check",), "doctor"),
    **dict.fromkeys(("browse", "url"), "open"),
    **dict.fromkeys(("revert", "undo"), "rollback"),
}
"""What other tools call it → what it is called here. Only told: nothing is run under another name."""
_PANELS = {
    **{name: declared.panel for name, declared in DECLARATIONS.items()},
    **dict.fromkeys(("json_output", "debug", "help", "version"), "Output"),
    **dict.fromkeys(("install_completion", "show_completion"), "Shell"),
}
"""Parameter → the heading that its option stands under."""


def shown(panel: str, line: str) -> dict[str, Any]:
    """What Typer is told of a command: the heading that it stands under, and an example of it."""
    return {"cls": Command, "rich_help_panel": panel, "epilog": f"\b\nExample:\n  $ {line}"}


def _sections(formatter: Any, rows: Iterable[tuple[str, tuple[str, str]]]) -> None:  # noqa: ANN401 - Typer's own Click
    """Rows under their headings, in the order in which those come."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for title, row in rows:
        groups.setdefault(title, []).append(row)
    for title, inside in groups.items():
        with formatter.section(title):
            formatter.write_dl(inside, col_max=28)


def _plain(name: str, words: str) -> tuple[str, str]:
    """A row without Python's names of types and its way of writing a range."""
    words = re.sub(r"(\d+)<=x<=(\d+)", r"\1 to \2", words)
    return re.sub(r" <[\w\[\]]+>$", "", name), re.sub(r"x>=(\d+)", r"from \1", words)


def _panel(command: Any) -> str:  # noqa: ANN401 - Typer's own Click
    return str(getattr(command, "rich_help_panel", None) or "Commands")


class Command(TyperCommand):
    """One command: its arguments and own options first."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        rows = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                own = "Arguments" if parameter.param_type_name == "argument" else "Options"
                rows.append((_PANELS.get(parameter.name or "", own), _plain(*record)))
        _sections(formatter, sorted(rows, key=lambda row: _order(row[0])))


class Group(TyperGroup):
    """The command itself, `local` and `model`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        self.format_commands(ctx, formatter)
        records = ((p.name or "", p.get_help_record(ctx)) for p in self.get_params(ctx))
        rows = [(_PANELS.get(name, "Options"), record) for name, record in records if record is not None]
        _sections(formatter, sorted(rows, key=lambda row: _order(row[0])))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        rows = [
            (_panel(command), (name, (command.help or "").partition("\n\n")[0]))
            for name, command in commands
            if not command.hidden
        ]
        _sections(formatter, sorted(rows, key=lambda row: _order(row[0])))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        meant = _SYNONYMS.get(args[0])
        if args[0] not in self.commands and meant in self.commands:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)


def _order(title: str) -> int:
    titles = [*HEADINGS, "Commands", "Arguments", "Options", *dict.fromkeys(_PANELS.values())]
    return titles.index(title)
