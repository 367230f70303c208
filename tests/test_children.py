"""What processes that lambdacap starts find and see, asked of themselves."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

from lambdacap import children
from lambdacap.errors import ModelError
from lambdacap.events import silent
from lambdacap.model import convert
from lambdacap.settings import default_image

PACKAGE = Path(children.__file__).parent
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_PROFILE": "mine",
    "GITHUB_TOKEN": "secret",
    "HTTPS_PROXY": "http://me:secret@proxy",
    "LAMBDACAP_HOME": "/mine",
    "PYTHONSTARTUP": "/mine/start.py",
    "PYTHONPATH": "",
    "LD_PRELOAD": "",
}


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A folder in which every module of that name would leave a mark."""
    for name in ("convert", "captioner", "json", "torch", "argparse", "sitecustomize", "usercustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n", "utf-8")
    return tmp_path


def test_a_child_takes_no_module_from_the_current_folder(stranger: Path) -> None:
    environment = children.environment(os.environ, [default_image()])
    for arguments in (["convert", "--help"], ["json.tool", "--help"]):
        done = subprocess.run(
            children.python(*arguments), cwd=stranger, env=environment, capture_output=True, text=True, check=True
        )
        assert "usage" in done.stdout
    assert not (stranger / "ran").exists()


def test_a_childs_own_children_take_none_either(stranger: Path) -> None:
    environment = children.environment(os.environ)
    command = ["sh", "-c", f"{children.python('json')[0]} -m json.tool --help"]
    subprocess.run(command, cwd=stranger, env=environment, capture_output=True, check=True)
    assert not (stranger / "ran").exists()


def test_a_child_sees_no_secret() -> None:
    environment = children.environment({**os.environ, **SECRETS})
    assert not set(SECRETS) & set(environment)
    assert environment["PATH"] == os.environ["PATH"]
    assert children.environment({}, [Path("image")])["PYTHONPATH"] == str(Path("image").absolute())


def test_the_converter_runs_in_a_strangers_folder(
    stranger: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(stranger)
    file = tmp_path / "-model.pickle"
    file.write_bytes(b"no pickle")
    with pytest.raises(ModelError, match="is no pickle"):
        convert.convert(Path(file.name), tmp_path / "bundle", convert.Conversion(), silent)
    assert not (stranger / "ran").exists()


def test_every_module_that_is_started_is_started_so() -> None:
    """`-m` is spelled in one place, or somewhere a child looks into the current folder again."""
    spelled = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if "templates" not in path.parts  # they belong to who begins with them
        and any(isinstance(node, ast.Constant) and node.value == "-m" for node in ast.walk(ast.parse(path.read_text())))
    ]
    assert set(spelled) <= {"children.py"}
