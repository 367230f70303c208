"""From a folder to a tag and a tar, and the engine's stream: what needs no engine. The rest is in tests/docker."""

from __future__ import annotations

import contextlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdacap.errors import EngineError, SettingsError
from lambdacap.events import Event, Progress, silent
from lambdacap.images.docker_context import content_tag, context, context_files
from lambdacap.images.docker_image import _follow_build
from lambdacap.images.docker_push import _follow_push
from lambdacap.images.docker_stages import folder_id
from tests.drawn import JSON

Make = Callable[[dict[str, str]], Path]
FILES = {"handler.py": "x = 1\n", "captioner/beam.py": "y = 2\n", "run.sh": "#!/bin/sh\n"}


def tar_of(folder: Path) -> bytes:
    with context(folder) as tar:
        return tar.read()


def test_the_same_content_anywhere_has_the_same_tag(image_folder: Make) -> None:
    one, other = image_folder(FILES), image_folder(FILES)
    os.utime(other / "handler.py", (1, 1))
    (other / "handler.py").chmod(0o600)
    assert one != other
    assert content_tag(one, "x86_64") == content_tag(other, "x86_64")
    # But for the label that names the folder.
    assert tar_of(one) == tar_of(other).replace(folder_id(other).encode(), folder_id(one).encode())


def test_a_tag_is_one_that_registries_take(image_folder: Make) -> None:
    tag = content_tag(image_folder(FILES), "x86_64")
    assert tag.isalnum()
    assert 12 <= len(tag) <= 128


def change_byte(folder: Path) -> None:
    (folder / "handler.py").write_text("x = 2\n", "utf-8")


def rename(folder: Path) -> None:
    (folder / "handler.py").rename(folder / "handler2.py")


def make_executable(folder: Path) -> None:
    (folder / "run.sh").chmod(0o755)


def add(folder: Path) -> None:
    (folder / "new.txt").touch()


def move(folder: Path) -> None:
    (folder / "captioner" / "beam.py").rename(folder / "beam.py")


def bring_a_model(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "model.json").write_text("{}", "utf-8")


@pytest.mark.parametrize("change", [change_byte, rename, make_executable, add, move, bring_a_model])
def test_other_content_has_another_tag(change: Callable[[Path], None], image_folder: Make) -> None:
    folder, other = image_folder(FILES), image_folder(FILES)
    change(other)
    assert content_tag(other, "x86_64") != content_tag(folder, "x86_64")


def test_content_may_not_move_between_files(image_folder: Make) -> None:
    assert content_tag(image_folder({"a": "xy", "b": ""}), "x86_64") != content_tag(
        image_folder({"a": "x", "b": "y"}), "x86_64"
    )


def test_another_architecture_has_another_tag(image_folder: Make) -> None:
    folder = image_folder(FILES)
    assert content_tag(folder, "x86_64") != content_tag(folder, "arm64")


def test_what_dockerignore_names_does_not_count(image_folder: Make) -> None:
    ignore = {".dockerignore": "# comment\n**/__pycache__\n*.md\n\n!KEEP.md\n"}
    folder = image_folder({**FILES, **ignore, "KEEP.md": ""})
    other = image_folder({**FILES, **ignore, "KEEP.md": "", "README.md": "", "captioner/__pycache__/beam.pyc": ""})
    assert context_files(other) == context_files(folder)
    assert content_tag(other, "x86_64") == content_tag(folder, "x86_64")
    with context(other) as stream, tarfile.open(fileobj=stream) as tar:
        assert "README.md" not in tar.getnames()
        assert "KEEP.md" in tar.getnames()


def test_the_tar_holds_the_files_and_nothing_of_this_machine(image_folder: Make) -> None:
    folder = image_folder(FILES)
    make_executable(folder)
    with context(folder) as stream, tarfile.open(fileobj=stream) as tar:
        entries = {entry.name: entry for entry in tar.getmembers()}
        assert sorted(entries) == ["Dockerfile", "captioner/beam.py", "handler.py", "run.sh"]
        for entry in entries.values():
            assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, 0, "", "")
        assert entries["run.sh"].mode == 0o755
        assert entries["handler.py"].mode == 0o644
        content = tar.extractfile("handler.py")
        assert content is not None
        assert content.read() == b"x = 1\n"


def test_a_folder_without_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no Dockerfile") as caught:
        context_files(tmp_path)
    assert "--image" in caught.value.hint
    with pytest.raises(SettingsError, match=r"there is no folder .*gone"):
        content_tag(tmp_path / "gone", "x86_64")


PUSHED = [
    {"status": "The push refers to repository [r]"},
    {"status": "Preparing", "progressDetail": {}, "id": "a"},
    {"status": "Pushing", "progressDetail": {"current": 10, "total": 100}, "id": "a"},
    [{"status": "Pushing", "progressDetail": {"current": 120, "total": 100}, "id": "a"}],
    {"status": "Pushing", "progressDetail": {"current": 50, "total": 200}, "id": "b"},
    {"status": "t: digest: sha256:abc size: 9"},
    {"progressDetail": {}, "aux": {"Tag": "t", "Digest": "sha256:abc", "Size": 9}},
]


def test_the_digest_is_read_from_the_stream() -> None:
    events: list[Event] = []
    assert _follow_push(PUSHED, events.append) == ("sha256:abc", "")
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.done, event.total) for event in progress[2:5]] == [(10, 100), (100, 100), (150, 300)]


def test_an_error_in_the_stream_is_found() -> None:
    lines = [*PUSHED[:3], {"errorDetail": {"message": "denied"}, "error": "denied: no basic auth credentials\n"}]
    assert _follow_push(lines, silent) == ("", "denied: no basic auth credentials")


def test_the_digest_is_read_from_the_sentence_where_it_is_nowhere_else() -> None:
    """Containerd's image store."""
    digest = f"sha256:{'0a' * 32}"
    lines = [*PUSHED[:5], {"status": f"latest: digest: {digest} size: 974"}]
    assert _follow_push(lines, silent) == (digest, "")


def test_a_stream_without_digest_leaves_it_to_the_registry() -> None:
    assert _follow_push(PUSHED[:5], silent) == ("", "")


LINES = st.lists(
    st.dictionaries(
        st.sampled_from(("status", "id", "stream", "error", "aux", "progressDetail", "progress")),
        JSON | st.dictionaries(st.sampled_from(("current", "total", "Digest", "ID")), JSON) | st.just("Pushed"),
    )
    | JSON,
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_an_engine_may_tell_anything(lines: list[object]) -> None:
    digest, failure = _follow_push(lines, silent)
    assert isinstance(digest, str)
    assert isinstance(failure, str)
    with contextlib.suppress(EngineError):
        _follow_build(lines, silent)
