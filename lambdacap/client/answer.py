"""What the API answered: a value, or a file, and where that went."""

from __future__ import annotations

import json
import mimetypes
import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lambdacap.client.source import File
from lambdacap.errors import InputError, StorageError
from lambdacap.storage import writing

_SUFFIXES = {"image/jpeg": ".jpg", "audio/wav": ".wav", "audio/x-wav": ".wav", "application/octet-stream": ".bin"}
"""Of types for which Python's table has none, or an odd one."""


@dataclass(frozen=True)
class Answer:
    """`value` is what JSON or text said. A `file` was answered instead, and `saved` says where it went.

    `truncated`: a picture that was sent breaks off.
    """

    value: Any = None
    file: File | None = None
    saved: Path | None = None
    truncated: bool = False

    def data(self) -> dict[str, Any]:
        """What there is to say of it in JSON."""
        if self.saved and self.file:
            about: dict[str, Any] = {"file": str(self.saved), "media_type": self.file.media_type}
        elif self.file:
            encoded = b64encode(self.file.content).decode()
            about = {"answer": f"data:{self.file.media_type};base64,{encoded}", "media_type": self.file.media_type}
        else:
            about = {"answer": self.value}
        return {**about, "truncated": True} if self.truncated else about

    def kept(self, place: Path, *, overwrite: bool) -> Answer:
        """The answer without its file, which is at `place` now. Raises `InputError` or `StorageError`."""
        assert self.file is not None, "only files are kept"  # noqa: S101 - a defect of ours
        with _fresh(place, overwrite=overwrite) as draft:
            draft.write_bytes(self.file.content)
        return replace(self, file=replace(self.file, content=b""), saved=place)


def suffix(media_type: str) -> str:
    """That of a file of this type: a letter's or digit's, whatever the type is."""
    plain = media_type.partition(";")[0].strip().lower()
    return _SUFFIXES.get(plain) or mimetypes.guess_extension(plain) or ".bin"


@contextmanager
def _fresh(place: Path, *, overwrite: bool) -> Iterator[Path]:
    """Where to write what becomes `place` in one go. What is there already is kept, unless it may be overwritten."""
    if place.exists() and not place.is_file():  # a device, or a pipe
        with writing(place):
            yield place
        return
    if place.exists() and not overwrite:
        raise there(place)
    draft = place.with_name(f".{place.name[:100]}.{os.getpid()}.tmp")
    try:
        with writing(place):
            yield draft
            draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def there(place: Path) -> InputError:
    """That a file would be overwritten."""
    return InputError(f"{place} is there already", hint="Give --output another name; --overwrite replaces it.")


class Places:
    """Where the files go that are answered to many inputs: into a folder, named after the inputs."""

    def __init__(self, folder: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
        """Raises `StorageError` where there can be no such folder."""
        if folder.exists() and not folder.is_dir():
            raise StorageError(f"{folder} is no folder", hint="The answers are files: give --output another name.")
        self._folder = folder
        self._overwrite = overwrite
        self._stems = _stems(inputs)

    def check(self, ending: str) -> None:
        """Raises `InputError` when one of the files, which end so, is there already."""
        for stem in () if self._overwrite else self._stems:
            if (place := self._folder / f"{stem}{ending}").exists():
                raise there(place)

    def keep(self, number: int, answer: Answer) -> Answer:
        """The answer to one of the inputs, with its file in the folder if it is one."""
        if answer.file is None:
            return answer
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / f"{self._stems[number]}{suffix(answer.file.media_type)}"
        return answer.kept(place, overwrite=self._overwrite)


def _stems(inputs: Sequence[Path]) -> list[str]:
    """A name for each, all different."""
    stems: list[str] = []
    taken: set[str] = set()
    for path in inputs:
        stem = re.sub(r"[^\w.() -]", "_", path.stem).strip(". -") or "answer"
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        stems.append(name)
    return stems


def truncated(value: object) -> bool:
    """Whether an answer says that it is of a picture that breaks off."""
    return isinstance(value, Mapping) and value.get("truncated") is True


def compact(value: object) -> str:
    """A value on one line, as JSON unless it is text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
