"""Before a deploy: which predictor it is of, in an environment of its own, and whether it can be served."""

from __future__ import annotations

from pathlib import Path

from lambdacap.events import Finished, Progress, Report, Started, Warned
from lambdacap.images import docker_context, project_context
from lambdacap.projects import environment as environments
from lambdacap.projects import interpreter
from lambdacap.projects.check import check
from lambdacap.projects.environment import Environment
from lambdacap.projects.installer import KIND
from lambdacap.settings import Settings
from lambdacap.settings.places import PREDICTOR, is_project


def environment(settings: Settings) -> Environment | None:
    """The environment that the project runs in on this machine, made or not; None for what is no project."""
    if not is_project(settings.image):
        return None
    base = settings.base_image or docker_context.default_base(settings.image)
    python = interpreter.find(interpreter.version_of(base))
    return environments.environment(project_context.read(settings.image).requirements, python, settings.cache)


def prepare(settings: Settings, report: Report, *, dry: bool = False) -> None:
    """Make the project's environment and let the predictor be checked in it; once for the same content.

    With `dry` nothing is installed or noted. Raises `ProjectError`.
    """
    wanted = environment(settings)
    if wanted is None:
        return
    folder = settings.image
    report(Started(KIND, f"{folder / PREDICTOR}"))
    if python := wanted.interpreter.missing:
        words = f"Python {python}, which the image has, is not on this machine: it is checked"
        words += " and run" if settings.local else ""
        report(Warned(f"{words} by lambdacap's own, {wanted.interpreter.version}"))
    if dry and not wanted.ready:
        report(Finished(KIND, "skipped", f"{folder / PREDICTOR}: a deploy first installs what it needs, and checks it"))
        return
    environments.make(wanted, folder, report, uv=interpreter.uv_binary())
    project = project_context.read(folder)
    note = _note(settings, wanted)
    call = note.read_text("utf-8") if note.is_file() else ""
    if not call:
        report(Progress(KIND, "importing it, to see what it takes"))
        found = check(folder, project.task, wanted)
        call = f"predict({', '.join(f'{name}: {kind}' if kind != 'value' else name for name, kind in found.items())})"
        if not dry:
            note.parent.mkdir(exist_ok=True)
            note.write_text(call, "utf-8")
    size = sum(file.stat().st_size for file in project.own.values()) / 1e6
    without = f"; without {', '.join(project.needless)}" if project.needless else ""
    words = f"{folder / PREDICTOR}: {call}; {len(project.own)} files, {size:.1f} MB{without}"
    report(Finished(KIND, "ready", words))


def _note(settings: Settings, environment: Environment) -> Path:
    """Where it is noted that this content passed in this environment: what it takes."""
    tag = docker_context.content_tag(settings.image, settings.architecture, environment.name)
    return environment.folder / "checked" / tag
