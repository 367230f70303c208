"""What of a project's folder goes into its image, what does not, and who is told."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdacap.errors import SettingsError
from lambdacap.events import Event, Warned
from lambdacap.images import project_context
from lambdacap.images.docker_context import content, content_tag, context, context_files, dockerfile, warn_left_out
from lambdacap.local.images import Images
from lambdacap.settings.places import default_image
from tests.images.test_left_out import SECRETS
from tests.projects.folders import SHOUT, write

FILES = {"predictor.py": SHOUT, "requirements.txt": "numpy\n", "weights/w.onnx": "w", "examples/a.txt": "a"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "project", FILES)


def told(folder: Path) -> str:
    events: list[Event] = []
    warn_left_out(folder, None, events.append)
    return "\n".join(event.text for event in events if isinstance(event, Warned))


def test_the_context_is_the_project_and_what_serves_it(folder: Path) -> None:
    (folder / "large.bin").write_bytes(bytes(2 << 20))
    found = content(folder)
    assert found["Dockerfile"] == dockerfile(folder) == default_image() / "project.Dockerfile"
    assert {"lambdacap/handler.py", "lambdacap/serving/page/photo.html", "lambdacap/serving/inputs/form.py"} <= set(
        found
    )
    assert {"project/predictor.py", "project/examples/a.txt", "project/weights/w.onnx", "large/large.bin"} <= set(found)
    assert {"requirements/requirements.txt", "requirements/lambdacap-serving.txt"} <= set(found)
    assert not [path for path in found if "captioner" in path or "__pycache__" in path]
    with context(folder) as stream, tarfile.open(fileobj=stream) as tar:
        assert sorted(tar.getnames()) == sorted(found)


def test_a_process_gets_it_all_in_one_folder(folder: Path, tmp_path: Path) -> None:
    Images(tmp_path).add("name", "tag", folder, python=Path("/env/bin/python"), variables={"PREDICTOR": "predictor"})
    copy = Images(tmp_path).path("name", "tag")
    assert {path.name for path in copy.iterdir()} == {
        *("predictor.py", "requirements.txt", "weights", "examples", "handler.py", "serving", ".lambdacap.json")
    }
    assert Images(tmp_path).runs("name", "tag") == (Path("/env/bin/python"), {"PREDICTOR": "predictor"})


def change_predictor(folder: Path) -> None:
    (folder / "predictor.py").write_text("def predict(text: str) -> str: return text\n")


def change_requirements(folder: Path) -> None:
    (folder / "requirements.txt").write_text("numpy>=2\n")


def add_a_weight(folder: Path) -> None:
    (folder / "more.bin").touch()


def take_sound(folder: Path) -> None:
    write(folder, {"sound.py": "Sound = tuple[np.ndarray, int]\n"})


@pytest.mark.parametrize("change", [change_predictor, change_requirements, add_a_weight, take_sound])
def test_another_content_has_another_tag(change: Callable[[Path], None], folder: Path) -> None:
    before = content_tag(folder, "x86_64")
    change(folder)
    content_tag.cache_clear()
    assert content_tag(folder, "x86_64") != before


def test_litter_and_settings_change_nothing(folder: Path) -> None:
    before = content_tag(folder, "x86_64")
    write(
        folder, {"lambdacap.toml": "", ".gitignore": "", "__pycache__/predictor.pyc": "", ".git/HEAD": "", "a.pyc": ""}
    )
    write(folder, {".venv/pyvenv.cfg": "", "my-env/pyvenv.cfg": "", "my-env/lib/x.py": "", ".mypy_cache/x": ""})
    write(
        folder, {".home/local/secret": "", ".home/deployments/local/a.json": "", "kept/CACHEDIR.TAG": "", "kept/x": ""}
    )
    content_tag.cache_clear()
    assert content_tag(folder, "x86_64") == before
    assert told(folder) == ""
    assert set(project_context.read(folder).needless) == {
        *("__pycache__", ".git", "a.pyc", ".venv", "my-env", ".mypy_cache", ".home", "kept")
    }


@pytest.mark.parametrize("path", [path for path in SECRETS if ".git" not in path])
def test_a_secret_never_goes_in_and_is_told(path: str, folder: Path) -> None:
    write(folder, {path: "secret"})
    assert path not in context_files(folder)
    with context(folder) as stream, tarfile.open(fileobj=stream) as tar:
        assert all(member.read() != b"secret" for name in tar.getnames() if (member := tar.extractfile(name)))
    assert path.partition("/")[0] in told(folder)
    assert path not in project_context.read(folder).task


def test_links_lead_out_of_no_project(folder: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"file.txt": "mine", "sub/mine.txt": "mine"})
    (folder / "absolute.txt").symlink_to(outside / "file.txt")
    (folder / "weights" / "relative.txt").symlink_to(os.path.relpath(outside / "file.txt", folder / "weights"))
    (folder / "elsewhere").symlink_to(outside)
    (folder / "circle").symlink_to("circle")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "up").symlink_to(".")
    (folder / "latest").symlink_to("weights")
    files = context_files(folder)
    assert {"latest/w.onnx", "weights/w.onnx"} <= set(files)
    assert not {"absolute.txt", "weights/relative.txt", "circle", "dangling"} & set(files)
    assert not [path for path in files if path.startswith(("elsewhere", "up/"))]
    words = told(folder)
    assert all(name in words for name in ("absolute.txt", "weights/relative.txt", "elsewhere", "circle"))
    assert "mine" not in [file.read_text("utf-8", "replace") for file in content(folder).values()]


def test_dockerignore_leaves_out_and_takes_in_again(folder: Path) -> None:
    write(
        folder,
        {
            "data/a.csv": "",
            "data/b.csv": "",
            "notes.md": "",
            ".env": "",
            ".dockerignore": "data\n!data/b.csv\n*.md\n!.env\n",
        },
    )
    files = set(context_files(folder))
    assert "data/b.csv" in files
    assert not {"data/a.csv", "notes.md", ".env", ".dockerignore"} & files


@pytest.mark.parametrize("name", ["handler.py", "serving/__init__.py", "serving.py", "handler/a.txt"])
def test_a_name_that_lambdacap_needs_is_refused(name: str, folder: Path) -> None:
    write(folder, {name: ""})
    with pytest.raises(SettingsError, match="has the name of what lambdacap itself puts there") as caught:
        context_files(folder)
    assert name in caught.value.message


def test_a_predictor_that_would_be_left_out_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "predictor.py").rename(tmp_path / "predictor.py")
    (folder / "predictor.py").symlink_to(tmp_path / "predictor.py")
    with pytest.raises(SettingsError, match="leads out of the folder"):
        context_files(folder)
    (folder / "predictor.py").unlink()
    write(folder, {"predictor.py": SHOUT, ".dockerignore": "*.py\n"})
    with pytest.raises(SettingsError, match=r"dockerignore or \.lambdacapignore names it"):
        context_files(folder)


def test_a_dockerfile_alone_is_not_used_and_told(folder: Path) -> None:
    write(folder, {"Dockerfile": "FROM scratch\n"})
    assert dockerfile(folder) != folder / "Dockerfile"
    assert "Dockerfile (a project's image is built by lambdacap's own)" in told(folder)


def test_with_a_handler_of_its_own_it_is_an_images_folder(folder: Path) -> None:
    write(folder, {"Dockerfile": "FROM scratch\n", "handler.py": "own"})
    assert content(folder)["handler.py"] == folder / "handler.py"
    assert dockerfile(folder) == folder / "Dockerfile"


def test_lambdacapignore_has_the_last_word(folder: Path) -> None:
    """A `.dockerignore` may be another image's of the same folder."""
    ignoring = {".dockerignore": "a.bin\nb.bin\n", ".lambdacapignore": "# data\n!b.bin\nc.bin\n"}
    write(folder, {"predictor.py": SHOUT, "a.bin": "", "b.bin": "", "c.bin": "", **ignoring})
    own = project_context.read(folder).own
    assert {"predictor.py", "b.bin"} <= own.keys()
    assert not {"a.bin", "c.bin", ".dockerignore", ".lambdacapignore"} & own.keys()
