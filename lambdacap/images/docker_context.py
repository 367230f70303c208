"""The build context: which files of a folder go into an image, and the tag that names them.

The folder is an image's, with a Dockerfile and a handler.py, or a project, which has neither: see `project_context`.

The tag of an image is a hash of what it is built from, so that the same content is never built or pushed twice.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import IO

from lambdacap.errors import SettingsError
from lambdacap.events import Report, Warned
from lambdacap.images import left_out, project_context
from lambdacap.images.docker_stages import labelled
from lambdacap.settings.places import is_project

PREDICTOR_VARIABLE = "PREDICTOR"
_PREDICTOR = re.compile(r"^\s*ENV\b.*?\bPREDICTOR(?:=|\s+)(\S+)", re.MULTILINE)
_DEFAULT_BASE = re.compile(r"^ARG BASE_IMAGE=(\S+)", re.MULTILINE)


def context_files(folder: Path) -> list[str]:
    """The files of `folder` that go into the image, sorted: all but what `.dockerignore` names and `left_out`.

    Raises `SettingsError` when `folder` is none that an image can be built from.
    """
    if is_project(folder):
        project = project_context.read(folder)
        assert project.requirements  # noqa: S101 - raises what cannot be installed
        return sorted(project.own)
    return [path for path, why in _walk(folder).items() if not why]


def warn_left_out(folder: Path, bundle: Path | None, report: Report) -> None:
    """Say which files are left out of the context, since they may be secrets or lie elsewhere."""
    walked = project_context.read(folder).left_out if is_project(folder) else _walk(folder)
    for place, found in ((folder, walked), (bundle, _bundle_files(bundle) if bundle else {})):
        if place and (words := left_out.sentence(place, {path: why for path, why in found.items() if why})):
            report(Warned(words))


def dockerfile(folder: Path) -> Path:
    """The Dockerfile that an image of `folder` is built by."""
    return project_context.dockerfile() if is_project(folder) else folder / "Dockerfile"


def default_base(folder: Path) -> str | None:
    """What that Dockerfile builds on unless it is told otherwise; None where it does not say."""
    file = dockerfile(folder)
    default = _DEFAULT_BASE.search(file.read_text("utf-8", "replace")) if file.is_file() else None
    return default.group(1) if default else None


def variables(folder: Path) -> dict[str, str]:
    """The predictor that the image of `folder` names in its variables, for a process that has no image.

    Raises `SettingsError` for a name that only a build could tell.
    """
    if is_project(folder):
        return {PREDICTOR_VARIABLE: "predictor"}
    text = dockerfile(folder).read_text("utf-8", "replace")
    last = re.split(r"^FROM\b", text.replace("\\\n", " "), flags=re.MULTILINE | re.IGNORECASE)[-1]
    said = _PREDICTOR.findall(last)
    if not said:
        return {}
    name = said[-1].strip("\"'")
    if "$" in name:
        raise SettingsError(
            f"{dockerfile(folder)} sets {PREDICTOR_VARIABLE} to {name}, which only a build can tell",
            hint="Write the module's name there, or deploy with a Docker engine.",
        )
    return {PREDICTOR_VARIABLE: name}


def task(folder: Path, bundle: Path | None = None) -> dict[str, Path]:
    """What a function process has for the function's folder: path in it → file."""
    return project_context.read(folder).task if is_project(folder) else content(folder, bundle)


def _walk(folder: Path) -> dict[str, str]:
    """The files that the context would have, sorted, each with why it is left out all the same, or nothing."""
    if not (folder / "Dockerfile").is_file():
        raise SettingsError(
            f"{folder} holds no Dockerfile" if folder.is_dir() else f"there is no folder {folder}",
            hint="--image names a project, a folder with predictor.py, or one with Dockerfile and handler.py.",
        )
    from docker.utils.build import exclude_paths

    ignore = folder / ".dockerignore"
    patterns = ignore.read_text("utf-8", "replace").splitlines() if ignore.is_file() else []
    rules = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    found = {}
    for path in sorted(exclude_paths(str(folder), rules)):
        why = left_out.reason(folder, path)
        # A folder as such is no file; one that is left out by its name alone is told of by its files.
        if (folder / path).is_file() or (why and (folder / path).is_symlink()):
            found[path] = why
    if found.get("Dockerfile"):
        raise SettingsError(
            f"the Dockerfile in {folder} is not built: {found['Dockerfile']}", hint="Put the file itself there."
        )
    return found


def _bundle_files(bundle: Path) -> dict[str, str]:
    return {file.name: left_out.reason(bundle, file.name) for file in bundle.glob("*") if file.is_file()}


def content(folder: Path, bundle: Path | None = None) -> dict[str, Path]:
    """The build context: path in it → file. A `bundle` from elsewhere lies in `model/`, and no other model does."""
    if is_project(folder):
        return project_context.read(folder).context
    files = {path: folder / path for path in context_files(folder)}
    if bundle is not None:
        others = ("model", "model.pickle", "demo")
        files = {path: file for path, file in files.items() if Path(path).parts[0] not in others}
        files |= {f"model/{name}": bundle / name for name, why in _bundle_files(bundle).items() if not why}
    return dict(sorted(files.items()))


@lru_cache
def content_tag(folder: Path, architecture: str, base_image: str | None = None, bundle: Path | None = None) -> str:
    """A tag that names the content: the hash of the context's paths, bytes and executable bits, platform and base."""
    digest = hashlib.sha256(f"{architecture}\0{base_image or ''}\0".encode())
    for path, file in content(folder, bundle).items():
        digest.update(f"{path}\0{_mode(file):o}\0".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:20]


def context(folder: Path, bundle: Path | None = None) -> IO[bytes]:
    """The build context as a tar that depends on nothing but the content: no times, owners or umask.

    But every stage of its Dockerfile has our label, which names the folder, see `docker_stages`.
    A file without a name, for a model may be larger than memory allows twice; closing it deletes it.
    """
    stream = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, file in content(folder, bundle).items():
            entry = tarfile.TarInfo(path)
            entry.mode = _mode(file)
            with file.open("rb") as opened:
                sent = io.BytesIO(labelled(opened.read(), folder)) if path == "Dockerfile" else opened
                entry.size = sent.seek(0, io.SEEK_END)
                sent.seek(0)
                tar.addfile(entry, sent)
    stream.seek(0)
    return stream


def _mode(file: Path) -> int:
    return 0o755 if file.stat().st_mode & 0o100 else 0o644
