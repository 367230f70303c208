"""The file of answers is one run's at a time, and a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdacap.client.results import Results
from lambdacap.errors import SettingsError

ANSWER = {"photo": "a.jpg", "caption": "a cat"}


def test_a_second_run_is_told_of_the_first(tmp_path: Path) -> None:
    file, link = tmp_path / "answers.jsonl", tmp_path / "link.jsonl"
    with Results(file) as first:
        first.add(ANSWER)
        link.symlink_to(file)
        for name in (file, link):
            with pytest.raises(SettingsError, match=f"process {os.getpid()}\\) is writing into"), Results(name):
                pass
    with Results(file) as later:
        assert later.answered == {"a.jpg"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "link.jsonl"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_cannot_be_read_again_is_refused(kind: str, tmp_path: Path) -> None:
    path = Path("/dev/null") if kind == "device" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(SettingsError, match="no file that a later run could read again"), Results(path):
        pass
