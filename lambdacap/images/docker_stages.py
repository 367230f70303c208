"""What a build leaves in the engine: the image, and of every stage one without a name, which is the next build's cache.

All of them carry a label, so that they are found again, however the build ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lambdacap.events import Report, Warned
from lambdacap.images.docker_engine import root_cause

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "lambdacap"
"""On every image that we build, with the deployment's name."""
STAGE = "lambdacap.stage"
"""On every stage, with what names its folder: deployments of one folder share the cache that its stages are."""
_ESCAPE = re.compile(rb"^#\s*escape\s*=\s*(\S)", re.IGNORECASE | re.MULTILINE)
_HEREDOC = re.compile(rb"<<-?[\"']?(\w+)")


def folder_id(folder: Path) -> str:
    """What names `folder` in labels, and tells nobody else where it is."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:20]


def labelled(dockerfile: bytes, folder: Path) -> bytes:
    """`dockerfile` of `folder` with our label on each of its stages."""
    escape = _ESCAPE.search(dockerfile.partition(b"\nFROM")[0])
    ends = escape[1] if escape else b"\\"
    lines: list[bytes] = []
    instruction = b""
    heredocs: list[bytes] = []
    for line in dockerfile.splitlines():
        lines.append(line)
        words = line.strip()
        if heredocs:
            if words == heredocs[0]:
                heredocs.pop(0)
            continue
        if not words or words.startswith(b"#"):
            continue  # in the middle of an instruction, too
        instruction += words.removesuffix(ends) + b" "
        if words.endswith(ends):
            continue
        keyword = instruction.split()[0].upper()
        if keyword == b"FROM":
            lines.append(f"LABEL {STAGE}={folder_id(folder)}".encode())
        elif keyword in (b"RUN", b"COPY", b"ADD"):
            heredocs = _HEREDOC.findall(instruction)
        instruction = b""
    return b"\n".join([*lines, b""])


def discard(engine: DockerClient, name: str, report: Report, folder: Path | None = None) -> bool:
    """Remove from the engine what lambdacap built for the deployment `name`, and nothing else; whether there was any.

    Stages go with the last deployment of their folder; `folder` is the one of a build that may not have come to an
    image. An image that somebody's container still uses stays, with a warning; so does one that somebody named.
    """
    stages = {folder_id(folder)} if folder else set()
    # By our tags; and by digest, as the local cloud pulls it.
    ours = re.compile(rf"(?:.+/)?{re.escape(name)}(?::[0-9a-f]{{20}}|@sha256:[0-9a-f]{{64}})")
    built = engine.images.list(filters={"label": f"{LABEL}={name}"})
    for image in built:
        stages.add(image.labels.get(STAGE, ""))
        names = [*image.tags, *(image.attrs.get("RepoDigests") or [])]
        given = [one for one in names if ours.fullmatch(one)]
        if given == names:
            _remove(engine, str(image.id), report, force=True)  # all its names at once
        else:
            for one in given:
                _remove(engine, one, report)
    kept = {image.labels.get(STAGE) for image in engine.images.list(filters={"label": LABEL}) if image.tags}
    for stage in stages - kept - {""}:
        _discard_stages(engine, f"{STAGE}={stage}", report)
    return bool(built)


def _discard_stages(engine: DockerClient, label: str, report: Report) -> None:
    from docker.errors import APIError

    # Those of a build during which the engine went down.
    for status in ("created", "exited", "dead"):
        filters: dict[str, str | list[str] | bool] = {"label": label, "status": status}
        for container in engine.containers.list(all=True, filters=filters, ignore_removed=True):
            with contextlib.suppress(APIError):
                if not (container.image and container.image.tags):
                    container.remove(v=True)
    # One that another is built on goes after that, or with it.
    gone: set[str] = set()
    while new := {str(image.id) for image in engine.images.list(filters={"label": label, "dangling": True})} - gone:
        removed = {image for image in new if _remove(engine, image, report)}
        if not removed:
            break
        gone |= new


def _remove(engine: DockerClient, image: str, report: Report, *, force: bool = False) -> bool:
    """Remove an image by its name or id; whether it is gone."""
    from docker.errors import APIError, ImageNotFound

    try:
        engine.images.remove(image, force=force)
    except ImageNotFound:
        return False  # went with the one before
    except APIError as error:
        report(Warned(f"the image {image} stays in the engine: {root_cause(error)}"))
        return False
    return True
