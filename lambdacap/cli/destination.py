"""Where answers go: onto stdout, line by line into a file, or as files of their own. Settled beforehand."""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lambdacap.cli.console import Console
from lambdacap.client.answer import Answer, Places, suffix, there
from lambdacap.errors import InputError

if TYPE_CHECKING:
    from lambdacap.client.contract import Contract
    from lambdacap.client.many import Outcome

_STDOUT = Path("-")
_LINES = (".jsonl", ".ndjson")
_SAY = "--output FILE writes it there; so does a pipe: … > FILE."


@dataclass(frozen=True)
class Destination:
    """`lines` is the file of one answer a line, `file` that of the one answer, `places` are those of many.

    `accept` is the media type in which answers are wanted, if one is.
    """

    lines: Path | None = None
    file: Path | None = None
    places: Places | None = None
    overwrite: bool = False
    accept: str = ""

    def keep(self, number: int, outcome: Outcome) -> Outcome:
        """The outcome with its file, if there is one, where it belongs. Raises `InputError` for one without a place."""
        answer = outcome.answer
        if answer.file is None:
            return outcome
        if self.file:
            return replace(outcome, answer=answer.kept(self.file, overwrite=self.overwrite))
        return replace(outcome, answer=self.places.keep(number, answer)) if self.places else outcome


def settle(
    contract: Contract, output: Path | None, paths: Sequence[Path], *, overwrite: bool, as_json: bool
) -> Destination:
    """Raises `InputError` where files would have no place, or take that of others."""
    output = None if output == _STDOUT else output
    inputs = paths or [Path("answer")]
    if output and (not contract.gives_files or output.suffix.lower() in _LINES):
        folder = output.with_name(f"{output.stem}.files")
        return Destination(lines=output, places=Places(folder, inputs, overwrite=True))
    if output is None:
        if contract.gives_files and not as_json and (len(inputs) > 1 or sys.stdout.isatty()):
            what = "answers are files" if len(inputs) > 1 else "answer is a file, and this is a terminal"
            hint = "--output FOLDER keeps them." if len(inputs) > 1 else _SAY
            raise InputError(f"the {what} ({', '.join(contract.answers[:3])})", hint=hint)
        return Destination()
    if len(inputs) > 1 or output.is_dir():
        places = Places(output, inputs, overwrite=overwrite)
        if suffix(contract.answers[0]) != ".bin":
            places.check(suffix(contract.answers[0]))
        return Destination(places=places, overwrite=overwrite)
    if output.resolve() in {path.resolve() for path in paths}:
        raise InputError(f"{output} is what is sent: the answer would overwrite it", hint="Give it another name.")
    if output.is_file() and not overwrite:
        raise there(output)
    if not output.parent.is_dir():
        raise InputError(f"there is no folder {output.parent} for the answer {output.name}", hint="Make it first.")
    return Destination(file=output, overwrite=overwrite, accept=contract.as_file(output.suffix) or "")


def tell_kept(console: Console, answer: Answer) -> None:
    """Say it when a file's name promises another type than it has."""
    if answer.saved is None or answer.file is None:
        return
    named = mimetypes.guess_type(answer.saved.name)[0]
    if named and suffix(named) != suffix(answer.file.media_type):
        console.note(f"{answer.saved} holds {answer.file.media_type}, whatever its name says")


def write(console: Console, outcome: Outcome) -> None:
    """A file that has no place, on stdout. Raises `InputError` rather than send it to a terminal."""
    file = outcome.answer.file
    assert file is not None, "values are shown"  # noqa: S101 - a defect of ours
    if sys.stdout.isatty():
        raise InputError(f"the answer is a file ({file.media_type}, {len(file.content)} bytes)", hint=_SAY)
    console.raw(file.content)
