"""Before a deploy: which predictor it is of, in an environment of its own, and whether it can be served."""

from __future__ import annotations

import platform

from lambdacap.errors import NotHereError
from lambdacap.events import Finished, Progress, Report, Started, Warned
from lambdacap.images import docker_context, docker_engine, project_context
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

    With `dry` nothing is installed or noted. Raises `ProjectError`; what another system would perhaps install and
    import is a warning, where it is an image of that which answers.
    """
    wanted = environment(settings)
    if wanted is None:
        return
    file = settings.image / PREDICTOR
    report(Started(KIND, str(file)))
    if python := wanted.interpreter.missing:
        words = f"Python {python}, which the image has, is not on this machine: "
        words += f"lambdacap's own, {wanted.interpreter.version}, checks the predictor"
        report(Warned(words + (", and serves it without Docker" if settings.local else "")))
    if dry and not wanted.ready:
        report(Finished(KIND, "skipped", f"{file}: a deploy first installs what it needs, and checks it"))
        return
    try:
        environments.make(wanted, settings.image, report, uv=interpreter.uv_binary())
        call = _checked(settings, wanted, report, dry=dry)
    except NotHereError as error:
        if not _is_elsewhere(settings, wanted):
            raise
        report(Warned(f"not checked, since the image is of another system than this machine: {error.message}"))
        call = "predict(…)"
    project = project_context.read(settings.image)
    size = sum(one.stat().st_size for one in project.own.values()) / 1e6
    without = f"; without {', '.join(project.needless)}" if project.needless else ""
    report(Finished(KIND, "ready", f"{file}: {call}; {len(project.own)} files, {size:.1f} MB{without}"))


def _checked(settings: Settings, wanted: Environment, report: Report, *, dry: bool) -> str:
    """How the predictor is called, as it says itself, or as was noted when this content passed in this environment."""
    tag = docker_context.content_tag(settings.image, settings.architecture, wanted.name)
    note = wanted.folder / "checked" / tag
    if note.is_file():
        return note.read_text("utf-8")
    report(Progress(KIND, "importing it, to see what it takes"))
    found = check(settings.image, project_context.read(settings.image).task, wanted)
    call = f"predict({', '.join(f'{name}: {kind}' if kind != 'value' else name for name, kind in found.items())})"
    if not dry:
        note.parent.mkdir(exist_ok=True)
        note.write_text(call, "utf-8")
    return call


def _is_elsewhere(settings: Settings, wanted: Environment) -> bool:
    """Whether an image answers, and not a process of this machine, and that image is of another system or Python."""
    if settings.local and not (settings.docker and docker_engine.host()):
        return False
    here = (platform.system(), {"aarch64": "arm64"}.get(platform.machine(), platform.machine()))
    return bool(wanted.interpreter.missing) or here != ("Linux", settings.architecture)
