"""Folders stand in one order, and each imports only from those after it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE, IMAGE = ROOT / "lambdacap", ROOT / "image"
FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if not {"image", "templates"} & set(path.relative_to(PACKAGE).parts)
)
HEAVY = {
    *("boto3", "botocore", "docker", "rich", "requests", "PIL", "textual_image"),
    *("numpy", "onnxruntime", "onnx", "torch", "ministack"),
}

ORDER = (
    {"cli"},
    {"insight"},
    {"operations"},
    {"client"},
    {"resources"},
    {"local"},
    {"projects"},
    {"model", "images", "deployment"},
    {"aws"},
    {"settings", "events", "errors", "children", "storage"},
)
"""From what a user types down to the ground. Those named together do not know one another."""
GROUND = {"settings": {"errors"}, "storage": {"errors"}}
"""What on the ground stands on its neighbour all the same."""


def module(path: Path) -> str:
    """`lambdacap/resources/role.py` → `resources.role`, `lambdacap/__init__.py` → ``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder(name: str) -> str:
    return name.partition(".")[0]


def imported(path: Path) -> set[str]:
    """What a file imports, in full: within functions and for types, too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: imports are written in full"
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def ours(path: Path) -> set[str]:
    """The folders, and modules that lie beside them, of which a file imports something."""
    names = {name.removeprefix("lambdacap.") for name in imported(path) if name.startswith("lambdacap.")}
    return {folder(name) for name in names} - {"__version__"}


def importers(package: str) -> set[str]:
    return {module(path) for path in FILES if package in packages(path)}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_down(path: Path) -> None:
    here = folder(module(path))
    if not here:
        assert ours(path) == set()
        return
    floor = next((i for i, rooms in enumerate(ORDER) if here in rooms), None)
    assert floor is not None, f"{path} stands nowhere in the order"
    below = set().union(*ORDER[floor + 1 :])
    assert ours(path) - {here} <= below | GROUND.get(here, set())


@pytest.mark.parametrize("top", [ROOT, IMAGE], ids=["lambdacap", "image"])
def test_no_circles(top: Path) -> None:
    """Modules know one another one way, those of one folder, too."""
    paths = FILES if top == ROOT else sorted(IMAGE.rglob("*.py"))
    known = {".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}

    def modules(path: Path) -> set[str]:
        return {name if name in known else name.rpartition(".")[0] for name in imported(path)} & set(known)

    left = {name: modules(path) - {name} for name, path in known.items()}
    while free := {name for name, needs in left.items() if not needs & set(left)}:
        left = {name: needs for name, needs in left.items() if name not in free}
    assert left == {}


def test_who_makes_boto3_clients() -> None:
    """`operations.access` names the type of a session, and makes none."""
    elsewhere = {name for name in importers("boto3") if folder(name) != "aws"}
    assert elsewhere == {"local.functions", "operations.access"}


def test_only_images_knows_docker() -> None:
    assert {folder(name) for name in importers("docker")} == {"images"}


def test_only_the_commands_know_typer_and_rich() -> None:
    assert {folder(name) for name in importers("typer") | importers("rich")} == {"cli"}


def test_the_image_and_the_command_do_not_know_each_other() -> None:
    for path in IMAGE.rglob("*.py"):
        assert "lambdacap" not in packages(path), path
    inside = {path.stem for path in IMAGE.glob("*.py")} | {path.parent.name for path in IMAGE.glob("*/__init__.py")}
    for path in FILES:
        # `model` makes bundles for the captioner, and says so in the environment that it runs in.
        assert packages(path) & inside == set(), path


def test_what_serves_does_not_know_what_prepares() -> None:
    """Only the handler, `serving` and the predictor go to Lambda."""
    for path in (IMAGE / "handler.py", *(IMAGE / "serving").rglob("*.py"), *(IMAGE / "captioner").rglob("*.py")):
        assert packages(path) & {"convert", "demo"} == set(), path


def test_the_worker_knows_nothing_of_ours() -> None:
    worker = PACKAGE / "local" / "worker.py"
    assert packages(worker) <= set(sys.stdlib_module_names) | {"__future__"}


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, lambdacap.cli.app; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
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
