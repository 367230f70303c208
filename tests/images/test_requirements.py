"""What is installed for a project: files that name files, and none that lies elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdacap.errors import SettingsError
from lambdacap.images import project_context
from lambdacap.images.requirements import SERVING, SOUND
from tests.projects.folders import write

PLAIN = "def predict(text: str) -> str: ...\n"


def installed(folder: Path) -> set[str]:
    return set(project_context.read(folder).requirements)


def test_a_project_without_requirements_gets_servings(tmp_path: Path) -> None:
    assert installed(write(tmp_path, {"predictor.py": PLAIN})) == {SERVING}


def test_files_that_are_named_come_along(tmp_path: Path) -> None:
    lines = "# why\nnumpy  # arrays\n-r more/other.txt\n--constraint=bounds.txt\n./lib/own-1.0-py3-none-any.whl\n"
    files = {
        "predictor.py": PLAIN,
        "requirements.txt": lines
        + "./package\n--extra-index-url https://example.org/simple\nscipy \\\n  >=1\nurl @ https://e.org/a.whl\n",
        "more/other.txt": "-r third.txt\npandas[excel]\n",
        "more/third.txt": "",
        "bounds.txt": "numpy<3\n",
        "lib/own-1.0-py3-none-any.whl": "",
        "package/pyproject.toml": "",
        "package/own.py": "",
        "wheels/theirs-1.0-py3-none-any.whl": "",
        "weights.bin": "",
    }
    named = set(files) - {"predictor.py", "weights.bin"}
    folder = write(tmp_path, files)
    assert installed(folder) == named | {SERVING}
    # Wheels are for the installation alone.
    assert not any(path.startswith("wheels/") for path in project_context.read(folder).task)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-e .", "editable"),
        ("--editable=./package", "editable"),
        ("-r ../other.txt", "outside"),
        ("/opt/own.whl", "outside"),
        ("~/own.whl", "outside"),
        ("own @ file:///opt/own.whl", "outside"),
        ("../own", "outside"),
        ("-c nowhere.txt", "not there"),
        ("./own.whl", "not there"),
        ("-r .env", "its name"),
        ("-r link.txt", "outside"),
        ("./.env", "left out"),
    ],
)
def test_what_cannot_come_along_is_told_with_its_line(line: str, words: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "project", {"predictor.py": PLAIN, "requirements.txt": f"numpy\n\n{line}\n", ".env": ""})
    (tmp_path / "other.txt").write_text("")
    (folder / "link.txt").symlink_to(tmp_path / "other.txt")
    with pytest.raises(SettingsError, match=words) as caught:
        installed(folder)
    assert "requirements.txt, line 3" in caught.value.message or ".env" in caught.value.message
    assert caught.value.hint


def test_requirements_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"requirements\.txt cannot be read"):
        installed(write(tmp_path, {"predictor.py": PLAIN, "requirements.txt": b"\xff\xfen\0u\0"}))


@pytest.mark.parametrize(
    ("code", "wants"),
    [
        ("def predict(a: tuple[np.ndarray, int]): ...", True),
        ("def predict(a: 'tuple[numpy.ndarray, int] | None' = None): ...", True),
        ("Sound = Tuple[NDArray[np.float32], int]", True),
        ("from numpy import ndarray\ndef predict(a: Annotated[tuple[ndarray, int], 'speech']): ...", True),
        ("def predict(a: tuple[int, int]) -> np.ndarray: ...", False),
        ("def predict(a: tuple[np.ndarray, float]): ...", False),
        ("def predict(a: str: ...", False),
        ("'tuple[ndarray, int'", False),
    ],
)
def test_sound_is_seen_without_running_anything(code: str, wants: bool, tmp_path: Path) -> None:
    folder = write(tmp_path, {"predictor.py": "from own.sound import predict\n", "own/sound.py": code + "\n"})
    assert (SOUND in installed(folder)) == wants
