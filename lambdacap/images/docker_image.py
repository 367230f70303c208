"""The Docker SDK: from a folder to an image in a registry. Only the modules docker_* know Docker."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lambdacap.errors import EngineError
from lambdacap.events import Progress, Report, Warned
from lambdacap.images.docker_context import context
from lambdacap.images.docker_engine import forget_broken_helper, root_cause
from lambdacap.settings import ARCHITECTURES, Settings

if TYPE_CHECKING:
    from docker import DockerClient

KIND = "image"
LABEL = "lambdacap"
"""On every image that we build, with the deployment's name: none without it is ever removed."""
_EXPIRED = re.compile(r"token has expired|no basic auth credentials|authorization failed|unauthorized", re.IGNORECASE)
LIMIT = 10 * 2**30
"""Bytes of an image, uncompressed (Lambda quotas)."""
_STEP = re.compile(r"Step (\d+/\d+) : (.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NO_BASE = re.compile(
    r"pull access denied|manifest .*(unknown|not found)|no such host|dial tcp|TLS handshake|i/o timeout"
)
_THERE = ("Layer already exists", "Mounted from")


def build(engine: DockerClient, settings: Settings, tag: str, report: Report) -> str:
    """Build `settings.image` for its architecture as `<name>:<tag>`, unless it is there; returns the image's id."""
    from docker.errors import APIError, ImageNotFound

    name = f"{settings.name}:{tag}"
    try:
        image_id = engine.images.get(name).id
    except ImageNotFound:
        pass
    else:
        report(Progress(KIND, f"{name} is built already"))
        return str(image_id)
    try:
        forget_broken_helper(engine, report)
        with context(settings.image, settings.bundle) as stream:
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
    except (APIError, ImageNotFound) as error:
        raise EngineError(f"the image could not be built: {root_cause(error)}") from error


def push(
    engine: DockerClient,
    settings: Settings,
    tag: str,
    repository: str,
    authorize: Callable[[], str],
    report: Report,
) -> str:
    """Push `<name>:<tag>` to `repository` and return the digest that the registry gave it.

    `authorize` fetches ECR's token, base64 of `user:password`. It goes to the engine with the request and is
    written nowhere; one that expires during a long push is renewed once. Raises `EngineError`.
    """
    from docker.errors import APIError

    what = f"{repository}:{tag}"
    try:
        image = engine.images.get(f"{settings.name}:{tag}")
        _check_fit(image.attrs, settings)
        image.tag(repository, tag)
        try:
            for last in (False, True):
                user, _, password = base64.b64decode(authorize()).decode().partition(":")
                credentials = {"username": user, "password": password}
                lines = engine.api.push(repository, tag, stream=True, decode=True, auth_config=credentials)
                digest, failure = _follow_push(lines, report)
                if not failure:
                    return digest
                if last or not _EXPIRED.search(failure):
                    raise EngineError(
                        f"{what} could not be pushed: {failure}",
                        hint="Run the same command again: layers that arrived are not sent twice.",
                    )
                report(Progress(KIND, "the registry's token has expired: signing in anew"))
            raise AssertionError("unreachable: the last try returns or raises")
        finally:
            # One name an image is enough: `docker images` stays readable.
            with contextlib.suppress(APIError):
                engine.api.remove_image(what, noprune=True)
    except APIError as error:
        raise EngineError(f"{what} could not be pushed: {root_cause(error)}") from error


def discard(engine: DockerClient, name: str, report: Report) -> None:
    """Remove the images that lambdacap built for the deployment `name` from the engine, and nothing else.

    One that somebody's container still uses stays, with a warning.
    """
    from docker.errors import APIError, ImageNotFound

    for image in engine.images.list(filters={"label": f"{LABEL}={name}"}):
        try:
            engine.images.remove(str(image.id), force=True)  # `force`: it may have several names
        except ImageNotFound:
            pass  # went with the one before
        except APIError as error:
            report(Warned(f"the image {image.tags[0] if image.tags else image.id} stays: {root_cause(error)}"))


def _arguments(settings: Settings) -> dict[str, str]:
    """The Dockerfile's ARGs; what is not set has its default there."""
    return {"BASE_IMAGE": settings.base_image} if settings.base_image else {}


def _check_fit(attributes: Mapping[str, Any], settings: Settings) -> None:
    """Lambda would refuse it only after the push, or start it and fail with "exec format error"."""
    if attributes.get("Size", 0) > LIMIT:
        raise EngineError(
            f"the image takes {attributes['Size'] / 2**30:.1f} GB, and Lambda runs none over 10 GB",
            hint="`lambdacap build` shows what takes the room.",
        )
    built = f"{attributes.get('Os')}/{attributes.get('Architecture')}"
    wanted = ARCHITECTURES[settings.architecture]
    if built != wanted:
        raise EngineError(
            f"the image is for {built}, but the function needs {wanted}",
            hint="Give --arch as the base image is, or an engine that can build for the other architecture.",
        )


def _follow_build(lines: Iterable[Any], report: Report) -> None:
    """Report the build line by line, each with its step; raise `EngineError` with the failed step's output."""
    step = ""
    output: list[str] = []
    pulls: dict[str, tuple[int, int]] = {}
    for line in lines:
        if "error" in line:
            failure = str(line["error"]).strip()
            words = "\n".join(output)
            raise EngineError(f"the image could not be built: {failure}\n{words}".rstrip(), hint=_build_hint(failure))
        if "status" in line:  # the base image on its way
            done, total = _bytes(pulls, line)
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


def _follow_push(lines: Iterable[Any], report: Report) -> tuple[str, str]:
    """Read the engine's stream to its end, for it answers 200 first and tells of errors later.

    Returns the digest and the error; one of the two is empty.
    """
    digest, begun = "", time.monotonic()
    layers: dict[str, str] = {}
    sent: dict[str, tuple[int, int]] = {}
    for line in _flatten(lines):
        if "error" in line:
            return "", str(line["error"]).strip()
        status = str(line.get("status", ""))
        if line.get("id"):
            layers[line["id"]] = status
        done, total = _bytes(sent, line)
        there = sum(state in _THERE for state in layers.values())
        arrived = there + sum(state == "Pushed" for state in layers.values())
        words = f"pushed {arrived} of {len(layers)} layers" + (f", {there} were there already" if there else "")
        if status.startswith("Retrying"):
            words += f"; {line.get('id')}: {status}"
        if done:
            words += f", {done / 1e6 / max(0.001, time.monotonic() - begun):.1f} MB/s"
        report(Progress(KIND, words, done, total))
        digest = (line.get("aux") or {}).get("Digest", digest)
    return digest, "" if digest else "the engine ended the push without a digest"


def _bytes(parts: dict[str, tuple[int, int]], line: Mapping[str, Any]) -> tuple[int, int]:
    """Note what `line` says of its part; returns the bytes done and to do of all parts."""
    detail = line.get("progressDetail") or {}
    if line.get("id") and detail.get("total"):
        parts[line["id"]] = (min(detail.get("current", 0), detail["total"]), detail["total"])
    elif line.get("status") == "Pushed" and line.get("id") in parts:
        parts[line["id"]] = (parts[line["id"]][1],) * 2  # a small layer is told of once, before it is through
    return sum(done for done, _ in parts.values()), sum(total for _, total in parts.values())


def _flatten(lines: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield from line if isinstance(line, list) else [line]
