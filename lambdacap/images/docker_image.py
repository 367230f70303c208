"""The Docker SDK: from a folder to an image in a registry. Only the modules docker_* know Docker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lambdacap.errors import EngineError
from lambdacap.events import Progress, Report
from lambdacap.images.docker_context import context
from lambdacap.images.docker_engine import asking, forget_broken_helper
from lambdacap.images.docker_stages import LABEL
from lambdacap.settings import ARCHITECTURES, Settings

if TYPE_CHECKING:
    from docker import DockerClient

KIND = "image"
_INDEXES = ("image.index.v1+json", "manifest.list.v2+json")
_STEP = re.compile(r"Step (\d+/\d+) : (.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NO_BASE = re.compile(
    r"pull access denied|manifest .*(unknown|not found)|no such host|dial tcp|TLS handshake|i/o timeout"
)


def build(engine: DockerClient, settings: Settings, tag: str, report: Report) -> str:
    """Build `settings.image` for its architecture as `<name>:<tag>`, unless it is there; returns the image's id."""
    name = f"{settings.name}:{tag}"
    fails = "the image could not be built"
    with asking(fails):
        if there := _built(engine, settings, name):
            report(Progress(KIND, f"{name} is built already"))
            return there
    forget_broken_helper(engine, report)
    with context(settings.image, settings.bundle) as stream, asking(fails):
        lines = engine.api.build(
            fileobj=stream,
            custom_context=True,
            tag=name,
            platform=ARCHITECTURES[settings.architecture],
            buildargs=_arguments(settings),
            labels={LABEL: settings.name},
            rm=True,
            forcerm=True,
            decode=True,
        )
        _follow_build(lines, report)
        return str(engine.images.get(name).id)


def _built(engine: DockerClient, settings: Settings, name: str) -> str | None:
    """The id of the image `name` if this has built it: BuildKit leaves an index there, which Lambda does not run."""
    from docker.errors import ImageNotFound

    try:
        image = engine.images.get(name)
    except ImageNotFound:
        return None
    media_type = (image.attrs.get("Descriptor") or {}).get("mediaType", "")
    ours = (image.labels or {}).get(LABEL) == settings.name and not media_type.endswith(_INDEXES)
    return str(image.id) if ours else None


def _arguments(settings: Settings) -> dict[str, str]:
    """The Dockerfile's ARGs; what is not set has its default there."""
    return {"BASE_IMAGE": settings.base_image} if settings.base_image else {}


def _follow_build(lines: Iterable[Any], report: Report) -> None:
    """Report the build line by line, each with its step; raise `EngineError` with the failed step's output."""
    step = ""
    output: list[str] = []
    pulls: dict[str, tuple[int, int]] = {}
    for line in sound(lines):
        if "error" in line:
            failure = str(line["error"]).strip()
            words = "\n".join(output)
            raise EngineError(f"the image could not be built: {failure}\n{words}".rstrip(), hint=_build_hint(failure))
        if "status" in line:  # the base image on its way
            done, total = transferred(pulls, line)
            report(Progress(KIND, " ".join(filter(None, [step, line.get("id"), line["status"]])), done, total))
        for words in filter(None, map(str.strip, re.split(r"[\r\n]+", _COLOUR.sub("", line.get("stream", ""))))):
            if begun := _STEP.match(words):
                step, output = f"[{begun[1]}]", []
                words = begun[2]
            output.append(words)
            report(Progress(KIND, f"{step} {words}".strip()))


def _build_hint(failure: str) -> str:
    if _NO_BASE.search(failure):
        return "Is that the base image? --base-image names another one, for example from your own registry."
    if "no space left" in failure:
        return "`docker system prune` makes room."
    return "--debug shows all that the engine says."


_FIELDS = {"id": str, "status": str, "stream": str, "aux": dict, "progressDetail": dict}


def sound(lines: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """What the engine tells, each with its fields as they always are: those of another kind are left out."""
    for line in lines:
        for told in line if isinstance(line, list) else [line]:
            if isinstance(told, dict):
                yield {key: value for key, value in told.items() if isinstance(value, _FIELDS.get(key, object))}


def transferred(parts: dict[str, tuple[int, int]], line: Mapping[str, Any]) -> tuple[int, int]:
    """Note what `line` says of its part; returns the bytes done and to do of all parts."""
    detail = line.get("progressDetail") or {}
    current, total = (value if isinstance(value := detail.get(key), int) else 0 for key in ("current", "total"))
    if line.get("id") and total > 0:
        parts[line["id"]] = (min(current, total), total)
    elif line.get("status") == "Pushed" and line.get("id") in parts:
        parts[line["id"]] = (parts[line["id"]][1],) * 2  # a small layer is told of once, before it is through
    return sum(done for done, _ in parts.values()), sum(total for _, total in parts.values())
