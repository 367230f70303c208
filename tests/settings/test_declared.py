"""What follows from how a setting is declared: options, what a record keeps, the documentation's table."""

from __future__ import annotations

import inspect
from pathlib import Path

from lambdacap.cli.options import deploy_command
from lambdacap.deployment.record import REMEMBERED
from lambdacap.settings import DECLARATIONS, KINDS, Settings, flag, may_be_none, variable

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def row(name: str) -> str:
    """A setting's line in the documentation's table."""
    declared, default = DECLARATIONS[name], getattr(Settings, name, None)
    flags = ", ".join(f"`{one}`" for one in declared.flags or (flag(name),)) if declared.panel else ""
    key = f"`{name}`" if name != "home" else ""
    said = declared.default or ("" if default is None else f"`{str(default).lower()}`")
    bounds = declared.check.bounds if declared.check else ""
    words = "; ".join(part for part in (declared.help, bounds, declared.more) if part)
    cells = (flags, f"`{variable(name)}`", key, said, words)
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def test_the_table_of_the_documentation() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    table = [line for line in lines if "`LAMBDACAP_" in line and line.startswith("|")]
    expected = [row(name) for name in DECLARATIONS]
    assert table == expected, "it should be:\n" + "\n".join(expected)


def test_every_option_of_a_deploy_is_a_setting() -> None:
    def body(configure: object, console: object) -> None:
        pass

    options = inspect.signature(deploy_command(body)).parameters
    assert set(options) - {"json_output", "debug"} == {name for name in DECLARATIONS if DECLARATIONS[name].panel}


def test_a_record_keeps_what_describes_a_deployment_and_not_where_it_is() -> None:
    assert set(DECLARATIONS) - set(REMEMBERED) == {"name", "region", "profile", "local", "weights", "home"}


def test_kinds_are_those_of_the_defaults() -> None:
    settings = Settings()
    for name, kind in KINDS.items():
        value = getattr(settings, name)
        assert isinstance(value, kind) or (value is None and may_be_none(name))
