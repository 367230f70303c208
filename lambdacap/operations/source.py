"""What is run on this machine without a cloud: a project in its own environment, or the captioner in lambdacap's."""

from __future__ import annotations

from dataclasses import replace

from lambdacap.errors import ProjectError
from lambdacap.events import Report, Started, Warned
from lambdacap.images import docker_context, project_context
from lambdacap.local.instance import Source
from lambdacap.model import weights
from lambdacap.projects import environment as environments
from lambdacap.projects import interpreter, readiness
from lambdacap.projects.installer import KIND
from lambdacap.settings import Settings
from lambdacap.settings.places import PREDICTOR, is_project


def prepared(settings: Settings, report: Report) -> Source:
    """The source, its environment made if need be. Raises `ProjectError` and `SettingsError`."""
    variables = docker_context.variables
    wanted = readiness.environment(settings)
    if wanted is not None:
        if not wanted.ready:
            report(Started(KIND, f"installing what {settings.image / PREDICTOR} needs"))
            environments.make(wanted, settings.image, report, uv=interpreter.uv_binary())
        if python := wanted.interpreter.missing:
            words = f"Python {python}, which the image has, is not on this machine: lambdacap's own, "
            report(Warned(f"{words}{wanted.interpreter.version}, runs the predictor"))
        task = project_context.read(settings.image).task
        return Source(settings.image, task, wanted.python, variables(settings.image))
    found(settings)
    settled = weights.settle(replace(settings, local=True), report)
    task = docker_context.task(settled.image, settled.bundle)
    if "handler.py" not in task:
        raise ProjectError(f"{settings.image} has no {PREDICTOR}", hint="Name a project's folder.")
    return Source(settled.image, task, None, variables(settled.image))  # what it needs is lambdacap's extra `local`


def found(settings: Settings) -> None:
    """Raises `ProjectError` where nothing says which model is meant: an empty folder does not mean the captioner."""
    if not is_project(settings.image) and not {"image", "weights"} & set(settings.given):
        raise ProjectError(
            f"there is no {PREDICTOR} here, and so no model of yours",
            hint="`lambdacap init DIR` begins one; --image DIR names a folder that has one.",
        )
