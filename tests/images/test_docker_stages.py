"""Our label on every stage of a Dockerfile, however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdacap.images.docker_stages import STAGE, folder_id, labelled


def marked(dockerfile: str, folder: Path) -> str:
    """What is sent, with LABEL for our label."""
    label = f"LABEL {STAGE}={folder_id(folder)}"
    return labelled(dockerfile.encode(), folder).decode().replace(label, "LABEL").removesuffix("\n")


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM a", "FROM a\nLABEL"),
        ("ARG B\nFROM ${B} AS x\nRUN x\n\nfrom x\n", "ARG B\nFROM ${B} AS x\nLABEL\nRUN x\n\nfrom x\nLABEL"),
        ("FROM \\\n  # why\n\n  a\nRUN x", "FROM \\\n  # why\n\n  a\nLABEL\nRUN x"),
        ("FROM a\nRUN echo \\\nFROM b\n", "FROM a\nLABEL\nRUN echo \\\nFROM b"),
        ("# escape=`\nFROM a\nRUN x `\n  FROM b\nFROM c\\",
         "# escape=`\nFROM a\nLABEL\nRUN x `\n  FROM b\nFROM c\\\nLABEL"),
        ("FROM a\nRUN <<X <<-'Y'\nFROM b\nX\nFROM c\n\tY\nFROM d",
         "FROM a\nLABEL\nRUN <<X <<-'Y'\nFROM b\nX\nFROM c\n\tY\nFROM d\nLABEL"),
        ("# FROM a\r\nFROM b\r\nRUN x\r\n", "# FROM a\nFROM b\nLABEL\nRUN x"),
        ("", ""),
    ],
)  # fmt: skip
def test_every_stage_and_nothing_else_is_labelled(dockerfile: str, expected: str, tmp_path: Path) -> None:
    assert marked(dockerfile, tmp_path) == expected


def test_bytes_that_are_no_text_stay(tmp_path: Path) -> None:
    assert b"RUN \xff\xfe" in labelled(b"FROM a\nRUN \xff\xfe\n", tmp_path)


def test_folders_are_told_apart_and_not_named(tmp_path: Path) -> None:
    assert folder_id(tmp_path) != folder_id(tmp_path / "image")
    assert folder_id(tmp_path) == folder_id(tmp_path / "x" / "..")
    assert tmp_path.name not in folder_id(tmp_path)
