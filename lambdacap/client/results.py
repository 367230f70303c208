"""Answers in a file, one JSON object a line, each written as it comes: what a broken run goes on from."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from lambdacap.deployment.lock import HeldError, held
from lambdacap.errors import SettingsError, StorageError
from lambdacap.storage import writing

_BEGINNINGS = ('{"photo": ', '{"input": ')
"""Of every line. A line without end that begins so is one that a crash cut short."""


class Results:
    """The file at `path`, made if it is not there; use it as a context manager.

    `answered` names the inputs that have an answer in it. Lines that tell of a failure, and one that a crash cut
    short, are dropped: their inputs are tried again. Raises `SettingsError` for a file that holds anything else,
    which is left alone, or that cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answered: set[str] = set()
        self._file: TextIO | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Results:
        with ExitStack() as stack:
            try:
                if self.path.exists() and not self.path.is_file():
                    raise SettingsError(
                        f"{self.path} is no file that a later run could read again",
                        hint="Give --output a file's name; for a pipe, leave it out and take --json.",
                    )
                # Beside what a link leads to: another run may know the file by another name.
                place = self.path.resolve()
                place.parent.stat()  # a folder that is not there is a slip: no lock makes it
                stack.enter_context(held(place.with_name(f"{place.name}.lock")))
                self._resume()
                self._file = stack.enter_context(self.path.open("a", encoding="utf-8"))
            except HeldError as error:
                raise SettingsError(
                    f"another command (process {error.pid}) is writing into {self.path}",
                    hint="Wait until it is through, then run this one again; or choose another file for --output.",
                ) from error
            except StorageError as error:
                raise SettingsError(error.message, hint="Choose another file for --output.") from error
            except OSError as error:
                raise SettingsError(
                    f"{self.path} cannot be written: {error.strerror}", hint="Choose another file for --output."
                ) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with writing(self.path):
            self._stack.close()

    def add(self, outcome: dict[str, Any]) -> None:
        """Append one outcome; it is in the file when this returns, whatever happens to the run."""
        assert self._file is not None, "not entered"  # noqa: S101 - a defect of ours
        with writing(self.path):
            self._file.write(json.dumps(outcome) + "\n")
            self._file.flush()

    def _resume(self) -> None:
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return
        except UnicodeDecodeError as error:
            raise self._foreign(1) from error
        *lines, rest = text.split("\n")
        kept = ""
        for number, line in enumerate(lines, 1):
            try:
                outcome = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise self._foreign(number) from error
            name = outcome.get("photo", outcome.get("input")) if isinstance(outcome, dict) else None
            if not isinstance(name, str):
                raise self._foreign(number)
            if "error" not in outcome:
                self.answered.add(name)
                kept += line + "\n"
        if rest and not rest.startswith(tuple(beginning[: len(rest)] for beginning in _BEGINNINGS)):
            raise self._foreign(len(lines) + 1)
        if kept != text:
            draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
            try:
                with draft.open("w", encoding="utf-8") as stream:
                    stream.write(kept)
                    stream.flush()
                    os.fsync(stream.fileno())
                draft.replace(self.path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise

    def _foreign(self, line: int) -> SettingsError:
        return SettingsError(
            f"{self.path} holds something else than answers (line {line})",
            hint="Choose another file for --output; this one was left as it is.",
        )
