"""What went wrong in a predictor's code, by its author's own lines: those of the runtime and of libraries say nothing.

Lambda and our function process tell an exception by kind, message and formatted frames; the handler's journal holds a
whole traceback.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdacap.errors import ProjectError
from lambdacap.images.requirements import FILE
from lambdacap.settings.places import PREDICTOR

_BEGIN = "Traceback (most recent call last):\n"
_FRAME = re.compile(r'^\s*File "(.+?)", line (\d+)(?:, in (.+))?$', re.MULTILINE)
_SYNTAX = re.compile(r"^(.*) \(([^()]+\.py), line (\d+)\)$", re.DOTALL)
_MODULE = re.compile(r"No module named '([^'.]+)")
_ENDED = re.compile(r"Runtime exited (?:with error: |with )((?:exit )?status \S+|signal: \w+)")
"""As our function process, and as Lambda, says it of a process that is gone."""
_HANDLER = re.compile(r'File "([^"]*)/handler\.py"')
_FRAMES = 8
_OURS = ("handler.py", "serving")


@dataclass(frozen=True)
class Frame:
    """A line that an exception came through: `path` in the function's folder."""

    path: str
    line: int
    function: str = ""


@dataclass(frozen=True)
class Mistake:
    """An exception, and of the lines that it came through the author's own, the last one last."""

    kind: str
    message: str
    frames: tuple[Frame, ...] = ()


def of_failure(kind: str, message: str, stack: Sequence[str], task: Path) -> Mistake:
    """What a function reports of its failure; `task` is its folder."""
    kind = kind.removeprefix("Runtime.").replace("UserCodeSyntaxError", "SyntaxError")
    frames = _own("".join(stack), task)
    if kind in ("SyntaxError", "IndentationError", "TabError") and (found := _SYNTAX.match(message)):
        message = found[1]
        named = [path.relative_to(task).as_posix() for path in sorted(task.rglob(found[2]))]
        frames += tuple(Frame(path, int(found[3])) for path in named[:1])
    return Mistake(kind, message, frames)


def of_traceback(text: str, task: Path) -> Mistake:
    """What Python prints of an exception; of several that followed one another the last counts."""
    last = text.rpartition(_BEGIN)[2]
    begin = re.search(r"^[^\s].*", last, re.MULTILINE)
    kind, _, message = (last[begin.start() :].rstrip() if begin else last).partition(": ")
    return Mistake(kind.rpartition(".")[2], message, _own(last[: begin.start()] if begin else "", task))


def of_report(payload: object, folder: Path) -> str:
    """Why a function of the project in `folder` failed when it started, of what Lambda reported."""
    said = payload if isinstance(payload, dict) else {}
    kind, words = str(said.get("errorType") or ""), str(said.get("errorMessage") or payload)
    if ended := _ENDED.search(words):
        return f"{folder / PREDICTOR} ended its process while it started, or while it met its example ({ended[1]})"
    if not kind or kind.startswith("Sandbox.") or kind == "ExampleError":
        return words
    stack = said.get("stackTrace")
    lines = [str(line) for line in stack] if isinstance(stack, list) else []
    # The handler stands in the function's folder, wherever that is.
    root = _HANDLER.search("".join(lines))
    return explained(of_failure(kind, words, lines, Path(root[1] if root else "/var/task")), folder).message


def explained(mistake: Mistake, folder: Path) -> ProjectError:
    """The mistake in a sentence, with the lines of the project in `folder` that it came through."""
    if mistake.kind == "HintError":
        return ProjectError(
            f"{folder / PREDICTOR} cannot be served: {mistake.message}",
            hint="docs/predictors.md lists what predict may take and give.",
        )
    *before, last = mistake.frames or (Frame(PREDICTOR, 0),)
    where = f"{folder / last.path}, line {last.line}" if last.line else str(folder / last.path)
    words = f"{mistake.kind}: {mistake.message}" if mistake.message else mistake.kind
    through = [f"\n  through {folder / f.path}, line {f.line}, in {f.function}" for f in reversed(before[-_FRAMES:])]
    module = _MODULE.match(mistake.message) if mistake.kind == "ModuleNotFoundError" else None
    if module and not (folder / module[1]).exists() and not (folder / f"{module[1]}.py").exists():
        hint = f"Add the package that has {module[1]!r} to {folder / FILE}."
    else:
        hint = "Correct it there."
    return ProjectError(f"{where}: {words[:2000]}{''.join(through)}", hint=hint)


def _own(text: str, task: Path) -> tuple[Frame, ...]:
    found = []
    for file, line, function in _FRAME.findall(text):
        path = Path(file)
        if not path.is_relative_to(task):
            continue
        inside = path.relative_to(task)
        if inside.parts[0] not in _OURS and "site-packages" not in inside.parts:
            found.append(Frame(inside.as_posix(), int(line), function))
    return tuple(found)
