"""What a deployment will cost: for 1,000 predictions, and for a month in which nobody calls."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from lambdacap.aws import prices as pricing
from lambdacap.aws.clients import LOCAL_REGION, translated
from lambdacap.errors import AwsError
from lambdacap.images import docker_context
from lambdacap.insight import logs
from lambdacap.operations.deploy import Survey
from lambdacap.resources import Site
from lambdacap.settings import Settings
from lambdacap.settings.places import is_project

WARM_SECONDS = 0.2
"""Assumed for a warm caption of the published model: 0.14 s on two CPUs, 0.23 s on one (tests/benchmarks/model.py)."""
VCPU_MB = 1769
"""Memory at which Lambda gives one vCPU; below, it gives that share of one (Lambda's guide: memory)."""
BASE_BYTES = 250_000_000
"""About what AWS's base image and the handler's requirements take in ECR, compressed."""
PUBLISHED_BYTES = 300_000_000
"""The published weights, converted, with the form for AVX-512."""
IMAGES_KEPT = 2
"""The live one and the one before."""
_HOURS, _LINES = 24, 4000
"""Of the log: enough for a mean, and few enough for a busy function's."""


@dataclass(frozen=True)
class Estimate:
    """US dollars, and what they were reckoned from. `seconds` are what Lambda bills for a prediction."""

    prices: pricing.Prices
    memory: int
    seconds: float
    duration: str
    image_bytes: int
    image: str

    @property
    def per_thousand(self) -> float:
        """For 1,000 predictions."""
        return self.prices.per_thousand(self.memory, self.seconds)

    @property
    def idle_month(self) -> float:
        """For a month without a call: the images in ECR, which counts in binary GB."""
        return self.image_bytes / 2**30 * self.prices.gb_month


def estimate(survey: Survey) -> Estimate:
    """What the deployment that `survey` looked at will cost once it is deployed."""
    settings, site = survey.settings, survey.site
    if site is None:
        prices = pricing.table(LOCAL_REGION, settings.architecture)
    else:
        prices = pricing.prices(site.aws, settings.architecture)
    seconds, duration = _duration(survey)
    size, image = _images(survey)
    return Estimate(prices, settings.memory, seconds, duration, size, image)


def _duration(survey: Survey) -> tuple[float, str]:
    """Seconds billed for a prediction, and how they are known."""
    settings, site, function = survey.settings, survey.site, survey.states.get("function")
    if site and function and survey.states.get("log group") and function.properties.get("memory") == settings.memory:
        measured = _billed(site)
        if measured:
            where = " on this machine" if settings.local else ""
            return statistics.fmean(measured), f"the mean of {len(measured)} predictions in its log{where}"
    what = "nothing is measured yet" if is_project(settings.image) else "for the published model when warm"
    return WARM_SECONDS * max(1.0, VCPU_MB / settings.memory), f"assumed: {what}"


def _billed(site: Site) -> list[float]:
    """Seconds billed for the predictions in the last day's log, cold starts among them."""
    entries = logs.read(site.aws, site.name, int((time.time() - _HOURS * 3600) * 1000), _LINES)
    return [e.fields["billed_ms"] / 1000 for e in entries if _is_prediction(e) and "billed_ms" in e.fields]


def _is_prediction(entry: logs.Entry) -> bool:
    told = entry.fields
    return (told.get("event"), told.get("method"), told.get("status")) == ("request", "POST", 200)


def _images(survey: Survey) -> tuple[int, str]:
    """Bytes in ECR, and how they are known."""
    stored = _stored(survey.site) if survey.site and survey.states.get("image") else []
    if stored:
        changes = any(change.kind == "image" and change.action != "keep" for change in survey.changes)
        count = min(IMAGES_KEPT, len(stored) + changes)
        return stored[0] * count, f"{count} × {stored[0] / 1e6:.0f} MB"
    size = BASE_BYTES + _context_bytes(survey.settings)
    return size, f"about {size / 1e6:.0f} MB, assumed"


def _stored(site: Site) -> list[int]:
    """The sizes of the images in ECR, the newest first."""
    try:
        with translated(site.aws):
            images = site.aws.ecr.describe_images(repositoryName=site.name)["imageDetails"]
    except AwsError:
        return []
    newest = sorted(images, key=lambda image: image["imagePushedAt"], reverse=True)
    return [image["imageSizeInBytes"] for image in newest if image.get("imageSizeInBytes")]


def _context_bytes(settings: Settings) -> int:
    """What the build context adds; weights hardly compress."""
    bundle = settings.bundle
    to_come = 0 if bundle is None or bundle.is_dir() else PUBLISHED_BYTES
    files: list[Path] = list(docker_context.content(settings.image, bundle).values())
    return to_come + sum(file.stat().st_size for file in files)
