"""The environment that a project runs in on this machine: its requirements and serving's, installed in one resolution.

It is kept in the cache by a hash of what is installed and by which Python, and appears whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lambdacap.errors import NotHereError, ProjectError
from lambdacap.events import Progress, Report
from lambdacap.images.requirements import FILE, SERVING, SOUND
from lambdacap.projects import installer
from lambdacap.projects.interpreter import Interpreter
from lambdacap.storage import writing

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# Environments of projects: lambdacap makes anew what is missing.\n"
)
"""What those know a cache by who copy folders: https://bford.info/cachedir/"""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Environment:
    """A virtual environment in `folder`, made or not yet; `files` are what is installed into it, by path."""

    folder: Path
    interpreter: Interpreter
    files: Mapping[str, Path]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        return self.python.exists()


def environment(files: Mapping[str, Path], interpreter: Interpreter, cache: Path) -> Environment:
    """The environment of these requirements (see `images.requirements`) by that Python."""
    made = f"{interpreter.version} {interpreter.path.resolve()} {platform.system()} {platform.machine()}"
    digest = hashlib.sha256(made.encode())
    for path, file in sorted(files.items()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"\0{path}\0{content}".encode())
    return Environment(cache / "environments" / digest.hexdigest()[:20], interpreter, files)


def make(wanted: Environment, source: Path, report: Report, *, uv: str | None) -> None:
    """Make the environment of the project `source`, unless it is there, by `uv` or else by pip.

    Raises `ProjectError`, with both sides of a conflict.
    """
    place = wanted.folder.parent
    with writing(place), _alone(place):
        if wanted.ready:
            return
        for left in place.glob(".draft-*"):  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place))
        try:
            report(Progress(installer.KIND, f"making an environment of Python {wanted.interpreter.version}"))
            folder = lay_out(wanted.files, draft / "requirements")
            installer.make_environment(uv, wanted.interpreter, draft / "made", report)
            named = [name for name in (FILE, SERVING, SOUND) if name in wanted.files]
            said = installer.install(uv, wanted.interpreter, draft / "made", named, folder, report)
            if said is not None:
                raise _explained(said, source, wanted)
            shutil.rmtree(wanted.folder, ignore_errors=True)  # of a Python that is gone
            (draft / "made").rename(wanted.folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def lay_out(files: Mapping[str, Path], folder: Path) -> Path:
    """A folder with these files by their paths, as links: nothing is copied."""
    for path, file in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(file.absolute())
    return folder


def needed(files: Mapping[str, Path]) -> dict[str, str]:
    """What serving requires: name → the line."""
    lines = [line for name in (SERVING, SOUND) if name in files for line in files[name].read_text("utf-8").splitlines()]
    return {found[0].lower(): line for line in lines if (found := _NAME.match(line))}


def _explained(said: str, source: Path, wanted: Environment) -> ProjectError:
    """What a failed installation means."""
    file = source / FILE
    serving = needed(wanted.files)
    if words := installer.conflict(said, serving):
        ours = [line for name, line in serving.items() if re.search(rf"\b{re.escape(name)}\b", words, re.IGNORECASE)]
        if not ours:
            return ProjectError(f"{file} contradicts itself: {words}", hint="Loosen one of the two.")
        return ProjectError(
            f"{file} cannot be installed together with what lambdacap's serving needs ({', '.join(ours)}): {words}",
            hint=f"Let {FILE} ask for versions that fit, or for none.",
        )
    what = file if FILE in wanted.files else "what lambdacap's serving needs"
    return NotHereError(
        f"{what} cannot be installed for Python {wanted.interpreter.version}: {installer.reason(said)}",
        hint="--debug shows all that the installer says. Packages that no index has go into the project's wheels/.",
    )


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Be the only process that makes one; another one waits, and may find it made."""
    new = not place.exists()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    if new:
        (place / "CACHEDIR.TAG").write_text(_TAG, "ascii")
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
