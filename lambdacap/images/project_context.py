"""What goes into a project's image: lambdacap's serving code, and the project's own files.

In the build context they lie apart, a folder for each layer of the image:

    Dockerfile                  image/project.Dockerfile
    requirements/               what is installed, in one resolution: see `requirements`
    large/, project/            the project's files; those over a MiB apart: weights are not sent with each change
    lambdacap/                  handler.py and serving/

In the function's folder all but the first two lie together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lambdacap.errors import SettingsError
from lambdacap.images import left_out, requirements
from lambdacap.settings.places import default_image

DOCKERFILE = "project.Dockerfile"
NEEDLESS = (
    *(".git", ".hg", ".svn", ".venv", "__pycache__", "*.py[co]", ".*_cache", ".cache", ".hypothesis", ".tox", ".nox"),
    *("node_modules", "*.egg-info", ".ipynb_checkpoints", ".idea", ".vscode", ".DS_Store"),
)
"""Names of what tools leave in a project's folder, and no prediction needs. They are told, and not warned of."""
OURS = ("handler.py", "handler", "serving.py", "serving")
"""Names in the function's folder that are lambdacap's."""
IGNORING = (".dockerignore", ".lambdacapignore")
"""Files of patterns of what is to stay behind, both in the form of the first; the second has the last word."""
_UNUSED = (*IGNORING, ".gitignore", "lambdacap.toml")
_LARGE = 1 << 20  # bytes


@dataclass(frozen=True)
class Project:
    """What a project's folder holds: `own` by path, `left_out` why a path is, `needless` names of litter."""

    folder: Path
    own: Mapping[str, Path]
    left_out: Mapping[str, str] = field(default_factory=dict)
    needless: tuple[str, ...] = ()

    @property
    def task(self) -> dict[str, Path]:
        """The function's folder: path in it → file."""
        return dict(sorted({**self._kept, **serving()}.items()))

    @property
    def _kept(self) -> dict[str, Path]:
        """The project's files that predictions may need."""
        wheels = f"{requirements.WHEELS}/"
        return {path: file for path, file in self.own.items() if not path.startswith(wheels)}

    @property
    def requirements(self) -> dict[str, Path]:
        """What is installed: path → file."""
        return requirements.files(self.folder, self.own)

    @property
    def context(self) -> dict[str, Path]:
        """The build context: path in it → file."""
        parts = {"Dockerfile": dockerfile()}
        parts |= {f"requirements/{path}": file for path, file in self.requirements.items()}
        parts |= {f"{_layer(file)}/{path}": file for path, file in self._kept.items()}
        parts |= {f"lambdacap/{path}": file for path, file in serving().items()}
        return dict(sorted(parts.items()))


def dockerfile() -> Path:
    return default_image() / DOCKERFILE


def serving() -> dict[str, Path]:
    """The code that serves every project: path in the function's folder → file."""
    image = default_image()
    files = [image / "handler.py", *(path for path in (image / "serving").rglob("*") if path.is_file())]
    return {path.relative_to(image).as_posix(): path for path in files if "__pycache__" not in path.parts}


def read(folder: Path) -> Project:
    """Look through a project's folder. Raises `SettingsError` when something there has a name of lambdacap's."""
    own: dict[str, Path] = {}
    left: dict[str, str] = {}
    needless: set[str] = set()
    for path, why in _walk(folder, "", _ignored(folder), ()):
        if why is None:
            needless.add(path.rpartition("/")[2])
        elif why:
            left[path] = why
        elif path == "Dockerfile":
            left[path] = "a project's image is built by lambdacap's own"
        elif path not in _UNUSED:
            own[path] = folder / path
    if taken := next((path for path in own if path.partition("/")[0] in OURS), None):
        raise SettingsError(
            f"{folder / taken} has the name of what lambdacap itself puts there",
            hint="Call it something else; a folder with a handler.py and a Dockerfile of its own is an image's, and no "
            "project.",
        )
    if "predictor.py" not in own:
        why = left.get("predictor.py", f"{' or '.join(IGNORING)} names it")
        raise SettingsError(f"{folder / 'predictor.py'} is left out: {why}", hint="Put the file itself there.")
    return Project(folder, own, left, tuple(sorted(needless)))


def _walk(folder: Path, inside: str, ignored: Any, above: tuple[Path, ...]) -> Iterator[tuple[str, str | None]]:  # noqa: ANN401
    """Every file below, and why it is left out: "" where it is not, None for what nobody needs.

    `ignored` is docker-py's `PatternMatcher`, `above` the folders that this one lies in, links followed.
    """
    place = folder / inside
    above = (*above, place.resolve())
    for entry in sorted(place.iterdir()):
        path = f"{inside}/{entry.name}" if inside else entry.name
        if _is_needless(entry):
            yield path, None
            continue
        why = left_out.reason(folder, path)
        if why:
            if not _is_dropped(ignored, path, entry):
                yield path, why
        elif entry.is_dir():
            if not _is_dropped(ignored, path, entry) and entry.resolve() not in above:
                yield from _walk(folder, path, ignored, above)
        elif entry.is_file() and not ignored.matches(path):
            yield path, ""


def _is_needless(entry: Path) -> bool:
    """Whether it is known by its name, or is an environment, a tagged cache, or where lambdacap keeps records."""
    if any(fnmatchcase(entry.name, name) for name in NEEDLESS):
        return True
    marks = ("pyvenv.cfg", "CACHEDIR.TAG", "local.lock", "local/secret", "deployments/local", "deployments/aws")
    return entry.is_dir() and any((entry / mark).exists() for mark in marks)


def _is_dropped(ignored: Any, path: str, entry: Path) -> bool:  # noqa: ANN401 - as above
    """Whether a file of `IGNORING` names it, and of a folder nothing inside it all the same."""
    if not ignored.matches(path):
        return False
    kept = (pattern.cleaned_pattern for pattern in ignored.patterns if pattern.exclusion)
    return not (entry.is_dir() and any(pattern.startswith(f"{path}/") for pattern in kept))


def _ignored(folder: Path) -> Any:  # noqa: ANN401 - docker-py's PatternMatcher
    from docker.utils.build import PatternMatcher

    files = (folder / name for name in IGNORING)
    lines = [line for file in files if file.is_file() for line in file.read_text("utf-8", "replace").splitlines()]
    return PatternMatcher([line.strip() for line in lines if line.strip() and not line.startswith("#")])


def _layer(file: Path) -> str:
    return "large" if file.stat().st_size > _LARGE else "project"
