"""What is wrong with a predictor is told with its place or its parameter, before anything is deployed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lambdacap.errors import ProjectError
from lambdacap.images import project_context
from lambdacap.projects.check import check
from lambdacap.projects.environment import Environment
from tests.projects.folders import write

WRONG = {
    "import nowhere\n": ("predictor.py, line 1: ModuleNotFoundError: No module named 'nowhere'", "requirements.txt"),
    "x = 1\nimport own.broken\n": ("own/broken.py, line 2: RuntimeError: no weights here", "there"),
    "import own.lost\n": ("own/lost.py, line 1: ModuleNotFoundError: No module named 'own.gone'", "there"),
    "def predict(a: str)\n    return a\n": ("predictor.py, line 1: SyntaxError: expected ':'", "there"),
    "import json\njson.loads('{')\n": ("predictor.py, line 2: JSONDecodeError", "there"),
    "import sys\nsys.exit('not today')\n": ("predictor.py, line 2: SystemExit: not today", "there"),
    "import os\nprint('so long')\nos._exit(3)\n": (
        "ended its process while it was imported (status 3)\nso long",
        "own",
    ),
    "import os\nos.kill(os.getpid(), 9)\n": ("ended its process while it was imported (signal 9)", "own"),
    "x = 1\n": ("has no function predict", "predictors"),
    "def predict(a): ...\n": ("a: predict does not say of what type it is", "predictors"),
    "def predict(a: str, *more: str): ...\n": ("more: a request gives values by name", "predictors"),
    "async def predict(a: str): ...\n": ("predict is async", "predictors"),
    "class Own: ...\ndef predict(a: str, b: Own): ...\n": ("b: Own cannot be served; inputs are", "predictors"),
    "from PIL import Image\ndef predict(photo: Image): ...\n": ("photo: PIL.Image is a module", "predictors"),
    "from collections.abc import Callable\ndef predict(f: Callable): ...\n": ("f: Callable cannot be", "predictors"),
    "def predict(a: 'Nowhere'): ...\n": ("a hint of predict names Nowhere", "predictors"),
    "from typing import Annotated\ndef predict(a: Annotated[int, {1}]): ...\n": ("a: the mark {1} is", "predictors"),
    "from dataclasses import dataclass\n@dataclass\nclass R:\n    f: complex\ndef predict(r: R): ...\n": (
        "r.f: complex cannot be served",
        "predictors",
    ),
}


def checked(folder: Path, environment: Environment) -> dict[str, str]:
    return check(folder, project_context.read(folder).task, environment)


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_is_told(code: str, tmp_path: Path, environment: Environment) -> None:
    more = {"own/broken.py": "\nraise RuntimeError('no weights here')\n", "own/lost.py": "import own.gone\n"}
    folder = write(tmp_path, {"predictor.py": code, **more})
    with pytest.raises(ProjectError) as caught:
        checked(folder, environment)
    words, hint = WRONG[code]
    assert words in caught.value.message
    assert str(folder) in caught.value.message
    assert hint in caught.value.hint
    assert "Traceback" not in caught.value.message


def test_what_is_well_says_what_it_takes(tmp_path: Path, environment: Environment) -> None:
    code = "from PIL.Image import Image\nfrom pathlib import Path\nprint('hello')\n"
    code += "def predict(photo: Image, other: Path, words: str, top: int = 1) -> list[str]: ...\n"
    kinds = {"photo": "picture", "other": "file", "words": "text", "top": "value"}
    assert checked(write(tmp_path, {"predictor.py": code}), environment) == kinds


def test_sound_without_its_library_is_told(tmp_path: Path, environment: Environment) -> None:
    fake = {"numpy/__init__.py": "class ndarray: ...\n"}
    code = "import numpy\ndef predict(a: tuple[numpy.ndarray, int]) -> float: ...\n"
    with pytest.raises(ProjectError, match="a: sound is read by soundfile"):
        checked(write(tmp_path, {"predictor.py": code, **fake}), environment)


def test_it_is_imported_as_the_function_will_be(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what goes into the image beside it, and nothing of the user's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "MY_TOKEN"):
        monkeypatch.setenv(name, "very-secret")
    code = f"""
import json, os
from pathlib import Path
here = Path(__file__).parent
found = dict(environ=dict(os.environ), files=sorted(path.name for path in here.glob("[!_]*")), cwd=os.getcwd())
found["weights"], found["home"] = here.joinpath("weights.bin").read_text(), list(map(str, Path.home().iterdir()))
Path({str(tmp_path / "said")!r}).write_text(json.dumps(found))
def predict(text: str) -> str: ...
"""
    folder = write(tmp_path / "project", {"predictor.py": code, "weights.bin": "w", ".env": "TOKEN=1", ".git/HEAD": ""})
    checked(folder, environment)
    said = json.loads((tmp_path / "said").read_text())
    assert said["files"] == ["handler.py", "predictor.py", "serving", "weights.bin"]
    assert said["weights"] == "w"
    assert said["cwd"] != str(folder)
    assert said["home"] == []
    assert said["environ"]["HOME"] != os.environ.get("HOME")
    assert "very-secret" not in said["environ"].values()
    assert not Path(said["cwd"]).exists()
