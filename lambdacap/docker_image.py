"""The Docker SDK: from a folder to an image in a registry.

The only module that knows Docker. The tag of an image is a hash of what it is built from, so that the same
content is never built or pushed twice.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdacap.errors import EngineError, SettingsError
from lambdacap.events import Progress, Report, Warned
from lambdacap.settings import ARCHITECTURES, Settings

if TYPE_CHECKING:
    from docker import DockerClient

KIND = "image"
ENGINE_TIMEOUT = 600
"""Seconds that the engine may be silent: some steps of a build print nothing for minutes."""
_EXPIRED = re.compile(r"token has expired|no basic auth credentials|authorization failed|unauthorized", re.IGNORECASE)
_SOCKETS = (
    "~/.docker/run/docker.sock",
    "~/.colima/default/docker.sock",
    "~/.rd/docker.sock",
    "$XDG_RUNTIME_DIR/docker.sock",
    "$XDG_RUNTIME_DIR/podman/podman.sock",
)
"""Docker Desktop, colima, Rancher Desktop, rootless Docker, podman."""


def connect() -> DockerClient:
    """The engine that `docker` itself would use, or one at a usual place; raises `EngineError` when none answers."""
    from docker.errors import DockerException

    failures: list[str] = []
    for url, tls in _places():
        try:
            return _ping(url, tls)
        except (DockerException, OSError) as error:
            failures.append(f"{url}: {_root_cause(error)}")
    denied = any("Permission denied" in failure for failure in failures)
    raise EngineError(
        f"no Docker engine answers ({'; '.join(failures)})",
        hint="You may not use it: `sudo usermod -aG docker $USER`, then sign in again."
        if denied
        else "Start Docker (or colima, or podman's socket), and set DOCKER_HOST if it listens elsewhere; "
        "`lambdacap deploy --local --no-docker` needs none.",
    )


def host() -> str | None:
    """The address of the engine that answers, in the form of DOCKER_HOST, or None."""
    from docker.errors import DockerException

    for url, tls in _places():
        with contextlib.suppress(DockerException, OSError):
            _ping(url, tls).close()
            return url
    return None


def _ping(url: str, tls: Any) -> DockerClient:  # noqa: ANN401 - the SDK's TLSConfig, or None
    from docker import DockerClient

    engine = DockerClient(base_url=url, tls=tls or False, timeout=ENGINE_TIMEOUT)
    try:
        engine.ping()
    except BaseException:
        engine.close()
        raise
    return engine


def _places() -> Iterator[tuple[str, Any]]:
    """Where an engine may be: DOCKER_HOST alone if it is set, else the current context, else usual sockets."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    if url := os.environ.get("DOCKER_HOST"):
        yield url, kwargs_from_env().get("tls")
        return
    context = ContextAPI.get_current_context()
    if context is None:
        raise EngineError(
            "the current Docker context does not exist", hint="`docker context ls` shows the ones there are."
        )
    yield str(context.Host), context.TLSConfig
    for socket in _SOCKETS:
        path = Path(os.path.expandvars(socket)).expanduser()
        if path.is_socket() and f"unix://{path}" != context.Host:
            yield f"unix://{path}", None


def model_folder(folder: Path) -> str:
    """The model bundle that goes into the image, relative to `folder`: the user's own, else the demo's."""
    return "model" if (folder / "model").is_dir() else "demo/bundle"


def context_files(folder: Path) -> list[str]:
    """The files of the build context, relative to `folder`, sorted: all but what `.dockerignore` names.

    Raises `SettingsError` when `folder` is none that an image can be built from.
    """
    if not (folder / "Dockerfile").is_file():
        raise SettingsError(
            f"{folder} holds no Dockerfile", hint="--image names the folder with Dockerfile and handler.py."
        )
    from docker.utils.build import exclude_paths

    ignore = folder / ".dockerignore"
    patterns = ignore.read_text("utf-8").splitlines() if ignore.is_file() else []
    rules = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    return sorted(path for path in exclude_paths(str(folder), rules) if (folder / path).is_file())


@lru_cache
def content_tag(folder: Path, architecture: str) -> str:
    """A tag that names the content: the hash of the context's paths, bytes and executable bits, and the platform."""
    digest = hashlib.sha256(f"{architecture}\0{model_folder(folder)}\0".encode())
    for path in context_files(folder):
        file = folder / path
        digest.update(f"{path}\0{_mode(file):o}\0".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:20]


def context(folder: Path) -> io.BytesIO:
    """The build context as a tar that depends on nothing but the content: no times, owners or umask."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in context_files(folder):
            entry = tarfile.TarInfo(path)
            entry.size = (folder / path).stat().st_size
            entry.mode = _mode(folder / path)
            with (folder / path).open("rb") as content:
                tar.addfile(entry, content)
    stream.seek(0)
    return stream


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
        _forget_broken_helper(engine, report)
        lines = engine.api.build(
            fileobj=context(settings.image),
            custom_context=True,
            tag=name,
            platform=ARCHITECTURES[settings.architecture],
            buildargs={"MODEL": model_folder(settings.image)},
            rm=True,
            forcerm=True,
            decode=True,
        )
        output: list[str] = []
        for line in lines:
            if "error" in line:
                tail = "\n".join(output[-20:])
                raise EngineError(f"the image could not be built: {line['error'].strip()}\n{tail}".rstrip())
            words = str(line.get("stream", "")).strip()
            if words:
                output.append(words)
                report(Progress(KIND, words.splitlines()[-1]))
        return str(engine.images.get(name).id)
    except (APIError, ImageNotFound) as error:
        raise EngineError(f"the image could not be built: {_root_cause(error)}") from error


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
        _check_architecture(image.attrs, settings)
        image.tag(repository, tag)
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
    except APIError as error:
        raise EngineError(f"{what} could not be pushed: {_root_cause(error)}") from error


def _check_architecture(attributes: Mapping[str, Any], settings: Settings) -> None:
    """Lambda would refuse it only after the push, or start it and fail with "exec format error"."""
    built = f"{attributes.get('Os')}/{attributes.get('Architecture')}"
    wanted = ARCHITECTURES[settings.architecture]
    if built != wanted:
        raise EngineError(
            f"the image is for {built}, but the function needs {wanted}",
            hint="Give --arch as the base image is, or an engine that can build for the other architecture.",
        )


def _forget_broken_helper(engine: DockerClient, report: Report) -> None:
    """A build sends all stored credentials along, so one missing credential helper would end it.

    The bases of our images are public: build without any, rather than not at all.
    """
    from docker.auth import load_config
    from docker.errors import DockerException

    try:
        load_config().get_all_credentials()  # type: ignore[no-untyped-call] # as the SDK does when it builds
    except DockerException as error:
        report(Warned(f"building without stored registry credentials: {_root_cause(error)}"))
        with tempfile.NamedTemporaryFile("w", suffix=".json") as empty:
            empty.write("{}")
            empty.flush()
            engine.api.reload_config(empty.name)


def _follow_push(lines: Iterable[Any], report: Report) -> tuple[str, str]:
    """Read the engine's stream to its end, for it answers 200 first and tells of errors later.

    Returns the digest and the error; one of the two is empty.
    """
    digest = ""
    layers: dict[str, tuple[int, int]] = {}
    for line in _flatten(lines):
        if "error" in line:
            return "", str(line["error"]).strip()
        detail = line.get("progressDetail") or {}
        if line.get("id") and detail.get("total"):
            layers[line["id"]] = (min(detail.get("current", 0), detail["total"]), detail["total"])
        done, total = (sum(column) for column in zip(*layers.values(), strict=True)) if layers else (0, 0)
        report(Progress(KIND, f"pushing: {line.get('status', '')}".strip(), done, total))
        digest = (line.get("aux") or {}).get("Digest", digest)
    return digest, "" if digest else "the engine ended the push without a digest"


def _flatten(lines: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield from line if isinstance(line, list) else [line]


def _mode(file: Path) -> int:
    return 0o755 if file.stat().st_mode & 0o100 else 0o644


def _root_cause(error: BaseException) -> str:
    """The innermost message, without the wrapping of three HTTP libraries."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return str(getattr(error, "explanation", None) or error)
