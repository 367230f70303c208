"""What is installed for a project: its `requirements.txt` with what that names, and what serving needs.

pip reads these in a folder of their own, here as in the image, so paths in them have to stay in the project.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lambdacap.errors import SettingsError
from lambdacap.images import left_out
from lambdacap.settings.places import default_image

FILE = "requirements.txt"
SERVING, SOUND = "lambdacap-serving.txt", "lambdacap-sound.txt"
"""Beside the project's own files in the folder that is installed from."""
WHEELS = "wheels"
"""Where a project may keep packages that no index has."""
_OPTION = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=)?(\S+)")
_EDITABLE = re.compile(r"(?:-e|--editable)\b")
_FOUND = re.compile(r"(?:-f|--find-links)(?:\s+|=)(\S+)")
_LOCAL = re.compile(r"\S+\s*@\s*(file:\S+)|(file:\S+|[./~]\S*|[^\s:]+\.(?:whl|zip|tar\.gz))(?:\[|\s|;|$)")


def files(folder: Path, own: Mapping[str, Path]) -> dict[str, Path]:
    """What the installation reads: path → file. `own` are the project's files by path.

    Raises `SettingsError` for what cannot be installed in an image.
    """
    found: dict[str, Path] = {}
    if (folder / FILE).is_file():
        _read(folder, FILE, own, found)
    found |= {path: file for path, file in own.items() if path.startswith(f"{WHEELS}/") and path.endswith(".whl")}
    image = default_image()
    found[SERVING] = image / "requirements-serving.txt"
    if wants_sound(own):
        found[SOUND] = image / "requirements-sound.txt"
    return dict(sorted(found.items()))


def wants_sound(own: Mapping[str, Path]) -> bool:
    """Whether the project's code anywhere names the type of sound, `tuple[numpy.ndarray, int]`: read, not run."""
    return any(_names_sound(file) for path, file in own.items() if path.endswith(".py"))


def _names_sound(file: Path) -> bool:
    try:
        text = file.read_text("utf-8")
        return "int" in text and any(map(_is_sound, _expressions(ast.parse(text))))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return False


def _expressions(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node, those of hints that are written as text among them."""
    for node in ast.walk(tree):
        yield node
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "[" in node.value:
            try:
                yield from ast.walk(ast.parse(node.value, mode="eval"))
            except (SyntaxError, ValueError, RecursionError):
                continue


def _is_sound(node: ast.AST) -> bool:
    if not isinstance(node, ast.Subscript) or _name(node.value).lower() != "tuple":
        return False
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    return len(parts) == 2 and "ndarray" in _name(parts[0]).lower() and _name(parts[1]) == "int"


def _name(node: ast.AST) -> str:
    """The last word of a dotted name, of what is subscripted, too."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _read(folder: Path, path: str, own: Mapping[str, Path], found: dict[str, Path]) -> None:
    """Add the file at `path`, and what its lines name."""
    if path in found:
        return
    file = folder / path
    if why := left_out.reason(folder, path):
        raise SettingsError(f"{file} is not read: {why}", hint="Put the file itself there.")
    found[path] = file
    for number, line in _lines(file):
        where = f"{file}, line {number}"
        if _EDITABLE.match(line):
            raise SettingsError(
                f"{where}: an editable install (-e) points at a folder of this machine",
                hint="Name the folder without -e, ./package, or put its modules beside predictor.py.",
            )
        if named := _OPTION.match(line):
            # As pip has it: beside the file that names it.
            _read(folder, _inside(folder, file.parent / named[1], where), own, found)
        elif named := _FOUND.match(line) or _LOCAL.match(line):
            given = next(filter(None, named.groups()))
            if "://" not in given or given.startswith("file:"):
                _add(_inside(folder, folder / given, where), own, found, where)


def _add(path: str, own: Mapping[str, Path], found: dict[str, Path], where: str) -> None:
    """Add a file, or all of a folder."""
    below = {name: file for name, file in own.items() if name == path or name.startswith(f"{path}/")}
    if not below:
        raise SettingsError(f"{where}: {path} is left out of the image", hint="Name what lies in the project's folder.")
    found |= below


def _inside(folder: Path, target: Path, where: str) -> str:
    """The path in `folder` that a line names. Raises `SettingsError` where it leads out, or nothing is there."""
    given = target.as_posix()
    if "file:" in given or "~" in given or not target.resolve().is_relative_to(folder.resolve()):
        raise SettingsError(f"{where} names what lies outside of the project", hint="Put it into the project's folder.")
    if not target.exists():
        raise SettingsError(f"{where}: {target} is not there", hint="Correct the line, or put the file there.")
    return target.resolve().relative_to(folder.resolve()).as_posix()


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines that say something, each with its number: without comments, and joined where a backslash says so."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}", hint="Write it as text in UTF-8.") from error
    begun, number = "", 0
    for place, line in enumerate(text.splitlines(), 1):
        number = number if begun else place
        words = re.sub(r"(^|\s)#.*$", "", line).strip()
        begun += words.removesuffix("\\") + " "
        if words.endswith("\\"):
            continue
        if begun.strip():
            yield number, begun.strip()
        begun = ""
    if begun.strip():
        yield number, begun.strip()
