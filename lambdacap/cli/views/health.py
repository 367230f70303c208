"""How a deployment does, in words and as data."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdacap.insight.health import Api, Function, Health, Image
    from lambdacap.insight.traffic import Traffic

_AUTH = {"NONE": "open to everyone", "AWS_IAM": "signed requests only", "key": "with a key only"}


def details(health: Health) -> dict[str, str]:
    """A line for each part that could be seen, by the resource's kind; and `last day`."""
    told = {}
    if health.image:
        told["image"] = _image(health.image)
    if health.function:
        told["function"] = _function(health.function)
    if health.api:
        told["api"] = _api(health.api)
    if health.day:
        told["last day"] = _day(health.day)
    return told


def data(health: Health, *, complete: bool) -> dict[str, object]:
    """For machines; null is what could not be seen."""
    image = health.image
    return {
        "healthy": complete and not health.complaints,
        "complaints": health.complaints,
        "image": {**asdict(image), "pushed": image.pushed.isoformat(), "days": round(image.days, 3)} if image else None,
        "function": asdict(health.function) if health.function else None,
        "api": asdict(health.api) if health.api else None,
        "last_day": asdict(health.day) if health.day else None,
    }


def _image(image: Image) -> str:
    hours = image.days * 24
    age = "within the hour" if hours < 1 else f"{hours:.0f} h ago" if hours < 48 else f"{image.days:.0f} days ago"
    size = "" if image.size is None else f"{_bytes(image.size)}, "
    return f"tag {image.tag}, {size}{'pushed' if image.digest else 'copied'} {age}"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _function(function: Function) -> str:
    reserved = "no concurrency reserved" if function.concurrency is None else f"concurrency {function.concurrency}"
    state = function.state if function.update == "Successful" else f"{function.state}, update {function.update}"
    return f"{state}, {function.memory} MB, {function.timeout} s, {reserved}"


def _api(api: Api) -> str:
    throttle = "no throttle of its own" if api.rate is None else f"{api.rate:g} requests a second, burst {api.burst}"
    quota = "" if api.quota is None else f", {api.quota} a day"
    return f"stage {api.stage}, {_AUTH.get(api.auth, api.auth)}, {throttle}{quota}"


def _day(day: Traffic) -> str:
    parts = [_counted(day.requests, "request"), f"{day.refused} refused", _counted(day.errors, "error")]
    if day.throttled:
        parts.append(f"{day.throttled} throttled")
    if day.cold_starts is not None:
        parts.append(_counted(day.cold_starts, "cold start"))
    if day.p50_ms is not None and day.p95_ms is not None:
        parts.append(f"p50 {day.p50_ms:.0f} ms, p95 {day.p95_ms:.0f} ms")
    return f"{', '.join(parts)}, ${day.cost:.4f} (by {day.source})"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
