"""Where a photo comes from: a file, or a pipe that is read once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdacap.client.source import STDIN, is_piped, read
from lambdacap.errors import InputError


def test_a_file_is_read_and_a_pipe_only_once(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"picture")
    assert read(file) == b"picture"
    reader, writer = os.pipe()
    os.write(writer, b"piped")
    os.close(writer)
    path = Path(f"/dev/fd/{reader}")
    assert is_piped(path)
    assert [read(path), read(path)] == [b"piped", b"piped"]
    os.close(reader)
    assert is_piped(STDIN)
    assert not is_piped(file)


def test_what_would_wait_or_never_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="is no file"):
            read(path)
    with pytest.raises(IsADirectoryError):
        read(tmp_path)
