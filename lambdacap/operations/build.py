"""Build the image, and measure its layers: what `lambdacap build` does."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from lambdacap.events import Finished, Progress, Report, Started
from lambdacap.images import docker_context, docker_engine, docker_image, docker_layers
from lambdacap.images.docker_layers import Layer
from lambdacap.model import weights
from lambdacap.operations import prerequisites
from lambdacap.projects import readiness
from lambdacap.settings import Settings


@dataclass(frozen=True)
class Built:
    """An image in the engine: its name with the tag, its id there, and its layers, the base image's first."""

    name: str
    id: str
    layers: list[Layer]


def build(settings: Settings, report: Report) -> Built:
    """The image for the settings; its tag is a hash of its content. Raises `EngineError` and what preparing raises."""
    prerequisites.check(settings, signs_in=False)
    settings = weights.settle(settings, report)
    readiness.prepare(settings, report)
    docker_context.warn_left_out(settings.image, settings.bundle, report)
    tag = docker_context.content_tag(settings.image, settings.architecture, settings.base_image, settings.bundle)
    name = f"{settings.name}:{tag}"
    report(Started("image", "Docker image"))
    with closing(docker_engine.connect()) as engine:
        image_id = docker_image.build(engine, settings, tag, report)
        report(Progress("image", "measuring its layers"))
        layers = docker_layers.measure(engine, name, settings.image)
    report(Finished("image", "built", name))
    return Built(name, image_id, layers)
