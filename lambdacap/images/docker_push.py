"""From the engine to a registry: an image that Lambda can run, followed layer by layer to its digest."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lambdacap.errors import EngineError
from lambdacap.events import Progress, Report
from lambdacap.images.docker_engine import asking
from lambdacap.images.docker_image import KIND, sound, transferred
from lambdacap.images.docker_layers import unpacked
from lambdacap.settings import ARCHITECTURES, Settings

if TYPE_CHECKING:
    from docker import DockerClient

LIMIT = 10 * 2**30
"""Bytes of an image, uncompressed (Lambda quotas)."""
_EXPIRED = re.compile(
    r"token has expired|no basic auth credentials|authorization failed|unauthorized|403 Forbidden|HTTP 40[13] response",
    re.IGNORECASE,
)
"""Docker's own image store passes ECR's words on, or that there were none; containerd's only the status."""
_DIGEST = re.compile(r": digest: (sha256:[0-9a-f]{64})\b")
_THERE = ("Layer already exists", "Mounted from")


def push(
    engine: DockerClient,
    settings: Settings,
    tag: str,
    repository: str,
    authorize: Callable[[], str],
    report: Report,
) -> str:
    """Push `<name>:<tag>` to `repository`; returns its digest as the engine tells it, or "" from one that does not.

    `authorize` fetches ECR's token, base64 of `user:password`. It goes to the engine with the request and is
    written nowhere; one that expires during a long push is renewed once. Raises `EngineError`.
    """
    from docker.errors import DockerException

    what = f"{repository}:{tag}"
    fails = f"{what} could not be pushed"
    with asking(fails):
        _check_fit(engine, f"{settings.name}:{tag}", settings)
        engine.images.get(f"{settings.name}:{tag}").tag(repository, tag)
    try:
        for last in (False, True):
            user, _, password = base64.b64decode(authorize()).decode().partition(":")
            credentials = {"username": user, "password": password}
            with asking(fails):
                lines = engine.api.push(repository, tag, stream=True, decode=True, auth_config=credentials)
                digest, failure = _follow_push(lines, report)
                if not failure:
                    engine.ping()  # one that has died tells of no error either
                    return digest
            if last or not _EXPIRED.search(failure):
                raise EngineError(
                    f"{fails}: {failure}", hint="Run the same command again: layers that arrived are not sent twice."
                )
            report(Progress(KIND, "the registry's token has expired: signing in anew"))
        raise AssertionError("unreachable: the last try returns or raises")
    finally:
        # One name an image is enough: `docker images` stays readable.
        with contextlib.suppress(DockerException, OSError):
            engine.api.remove_image(what, noprune=True)


def _check_fit(engine: DockerClient, image: str, settings: Settings) -> None:
    """Lambda would refuse it only after the push, or start it and fail with "exec format error"."""
    size = unpacked(engine, image)
    if size > LIMIT:
        raise EngineError(
            f"the image takes {size / 2**30:.1f} GB, and Lambda runs none over 10 GB",
            hint="`lambdacap build` shows what takes the room.",
        )
    attributes = engine.images.get(image).attrs
    built = f"{attributes.get('Os')}/{attributes.get('Architecture')}"
    wanted = ARCHITECTURES[settings.architecture]
    if built != wanted:
        raise EngineError(
            f"the image is for {built}, but the function needs {wanted}",
            hint="Give --arch as the base image is, or an engine that can build for the other architecture.",
        )


def _follow_push(lines: Iterable[Any], report: Report) -> tuple[str, str]:
    """Read the engine's stream to its end, for it answers 200 first and tells of errors later.

    Returns the digest, if it told one, and the error, or "". Docker gives the digest apart with its own image store
    and in a sentence with containerd's; older Podman gives none.
    """
    digest, begun = "", time.monotonic()
    layers: dict[str, str] = {}
    sent: dict[str, tuple[int, int]] = {}
    for line in sound(lines):
        if "error" in line:
            return "", str(line["error"]).strip()
        status = str(line.get("status", ""))
        if line.get("id"):
            layers[line["id"]] = status
        done, total = transferred(sent, line)
        there = sum(state in _THERE for state in layers.values())
        arrived = there + sum(state == "Pushed" for state in layers.values())
        words = f"pushed {arrived} of {len(layers)} layers" + (f", {there} were there already" if there else "")
        if status.startswith("Retrying"):
            words += f"; {line.get('id')}: {status}"
        if done:
            words += f", {done / 1e6 / max(0.001, time.monotonic() - begun):.1f} MB/s"
        report(Progress(KIND, words, done, total))
        if told := _DIGEST.search(status):
            digest = told[1]
        apart = line.get("aux", {}).get("Digest")
        digest = apart if isinstance(apart, str) else digest
    return digest, ""
