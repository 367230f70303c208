"""Imports point one way: cli → pipeline, client, console → resources → aws, docker_image → settings, errors."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE, IMAGE = ROOT / "lambdacap", ROOT / "image"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "image" not in path.relative_to(PACKAGE).parts)
HEAVY = {
    *("boto3", "botocore", "docker", "rich", "requests", "PIL", "textual_image"),
    *("numpy", "onnxruntime", "onnx", "torch", "ministack"),
}

ALLOWED = {
    "": set[str](),
    "children": set[str](),
    "errors": set[str](),
    "events": set[str](),
    "settings": {"errors"},
    "console": {"errors", "events"},
    "metadata": set[str](),
    "photo": {"errors", "metadata"},
    "client": {"errors", "photo"},
    "batch": {"errors"},
    "results": {"errors"},
    "attention": {"errors", "photo"},
    "lock": set[str](),
    "deployment": {"settings", "errors", "lock"},
    "hints": set[str](),
    "aws": {"errors", "hints"},
    "docker_engine": {"errors", "events"},
    "docker_image": {"docker_engine", "settings", "errors", "events"},
    "docker_layers": {"docker_engine", "docker_image", "errors", "events"},
}
"""Module → what it may import of ours, for those that the others stand on."""


def module(path: Path) -> str:
    """`lambdacap/resources/api.py` → `resources.api`, `lambdacap/__init__.py` → ``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, *, always: bool = False) -> set[str]:
    """What a file imports, in full; `always`: only what importing the file itself imports."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return  # types only: nothing is loaded
        if always and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return found


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def ours(path: Path) -> set[str]:
    """Our own modules that a file imports."""
    known = {module(file) for file in FILES}
    names = {name.removeprefix("lambdacap.") for name in imported(path) if name.startswith("lambdacap.")}
    return names & known


def importers(package: str) -> set[str]:
    return {module(path) for path in FILES if package in packages(path)}


def test_only_two_modules_make_boto3_clients() -> None:
    assert importers("boto3") == {"aws", "local.functions"}


def test_only_the_docker_modules_know_docker() -> None:
    assert all(name.startswith("docker_") for name in importers("docker"))


def test_only_what_shows_knows_rich() -> None:
    assert all(name == "console" or name.startswith("views") for name in importers("rich"))


def is_command(name: str) -> bool:
    """The modules that parse and render."""
    return name in ("options", "cli") or name.startswith("cli_")


def test_only_the_commands_know_typer() -> None:
    assert all(is_command(name) for name in importers("typer"))


def test_nobody_imports_the_commands() -> None:
    for path in FILES:
        if not is_command(module(path)):
            assert not [name for name in ours(path) if is_command(name) or name.startswith("views")], path


@pytest.mark.parametrize("name", ALLOWED)
def test_the_ground_stands_on_nothing_above_it(name: str) -> None:
    path = next(path for path in FILES if module(path) == name)
    assert ours(path) - {""} <= ALLOWED[name]


@pytest.mark.parametrize("path", [p for p in FILES if module(p).startswith("resources")], ids=module)
def test_resources_know_nothing_above_them(path: Path) -> None:
    above = {
        "cli",
        "options",
        "views",
        "console",
        "pipeline",
        "status",
        "teardown",
        "rollback",
        "sign_in",
        "client",
        "photo",
    }
    assert ours(path) & above == set()


@pytest.mark.parametrize("path", FILES, ids=module)
def test_work_knows_no_console(path: Path) -> None:
    if not is_command(module(path)):
        assert "console" not in ours(path)


def test_the_image_and_the_command_do_not_know_each_other() -> None:
    for path in IMAGE.rglob("*.py"):
        assert "lambdacap" not in packages(path), path
    inside = {path.stem for path in IMAGE.glob("*.py")} | {path.parent.name for path in IMAGE.glob("*/__init__.py")}
    for path in FILES:
        # `model` makes bundles for the captioner, and says so in the environment that it runs in.
        assert packages(path) & inside == set(), path


def test_the_worker_knows_nothing_of_ours() -> None:
    worker = PACKAGE / "local" / "worker.py"
    assert packages(worker) <= set(sys.stdlib_module_names) | {"__future__"}


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, lambdacap.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "lambdacap" in loaded
    assert set(loaded) & HEAVY == set()


def test_help_of_a_command_loads_nothing_heavy() -> None:
    code = (
        "import sys, lambdacap.cli as c; sys.argv = ['lambdacap', 'deploy', '--help']\n"
        "try: c.main()\n"
        "except SystemExit: print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--dry-run" in output
    assert set(output.partition("loaded:")[2].split()) & HEAVY == set()
