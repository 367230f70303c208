"""Where the Docker engine is: found as `docker` itself finds it, or at a usual place."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import re
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lambdacap.errors import EngineError
from lambdacap.events import Report, Warned

if TYPE_CHECKING:
    from docker import DockerClient

ENGINE_TIMEOUT = 600
"""Seconds that the engine may be silent: some steps of a build print nothing for minutes."""
PING_TIMEOUT = 10
_LONGEST = 1000  # characters of what is told of an error
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
        except (DockerException, OSError, ValueError) as error:  # the SDK's URL parser raises the last
            failures.append(f"{url}: {root_cause(error)}")
    denied = any("Permission denied" in failure for failure in failures)
    raise EngineError(
        f"no Docker engine answers ({'; '.join(failures)})",
        hint="You may not use it: `sudo usermod -aG docker $USER`, then sign in again."
        if denied
        else "Start Docker (or colima, or podman's socket), and set DOCKER_HOST if it listens elsewhere; "
        "`lambdacap deploy --local --no-docker` needs none.",
    )


@dataclass(frozen=True)
class Engine:
    """What an engine says of itself; `here`: on this machine, so that its folder `root` can be looked at."""

    version: str
    architecture: str
    system: str
    root: str
    url: str

    @property
    def here(self) -> bool:
        return self.url.startswith("unix://") and "Desktop" not in self.system


def describe() -> Engine:
    """The engine that `connect` finds. Raises `EngineError`."""
    with contextlib.closing(connect()) as engine, asking("the Docker engine does not tell about itself"):
        told = engine.info()
        return Engine(
            version=str(told.get("ServerVersion", "")),
            architecture=str(told.get("Architecture", "")),
            system=str(told.get("OperatingSystem", "")),
            root=str(told.get("DockerRootDir", "")),
            url=host() or "",
        )


def host() -> str | None:
    """The address of the engine that answers, in the form of DOCKER_HOST, or None."""
    from docker.errors import DockerException

    for url, tls in _places():
        with contextlib.suppress(DockerException, OSError, ValueError):
            _ping(url, tls).close()
            return url
    return None


def kept_from_others(timeout: int) -> Callable[[], DockerClient | None]:
    """What connects to the engine, or gives None; to all else in this process there is none from now on."""
    import docker
    from docker.errors import DockerException

    connect = functools.cache(functools.partial(docker.from_env, timeout=timeout))

    def ours() -> DockerClient | None:
        with contextlib.suppress(DockerException):
            return connect()
        return None

    def others(**_: object) -> DockerClient:
        raise DockerException("there is no engine for this")

    docker.from_env = others
    return ours


def forget_broken_helper(engine: DockerClient, report: Report) -> None:
    """A build sends all stored credentials along, so one missing credential helper would end it.

    Build with those that the user's file itself holds, rather than not at all: our bases are public.
    """
    from docker.auth import load_config
    from docker.credentials.errors import StoreError
    from docker.errors import DockerException
    from docker.utils.config import load_general_config

    try:
        with warnings.catch_warnings(action="ignore"):
            load_config().get_all_credentials()  # type: ignore[no-untyped-call] # as the SDK does when it builds
    except (DockerException, StoreError) as error:
        report(Warned(f"building without the credentials that are kept elsewhere: {root_cause(error)}"))
        # Never empty: the SDK would read the user's file again.
        auths = load_general_config().get("auths") or {"none.invalid": {}}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"auths": auths}, file)
            file.flush()
            engine.api.reload_config(file.name)


@contextlib.contextmanager
def asking(what: str) -> Iterator[None]:
    """Talk to the engine: "`what`: why" is the `EngineError` for all that the SDK and what is under it raise.

    An engine that dies ends its answer in the middle, which each of the libraries calls something else.
    """
    from docker.errors import APIError, DockerException, StreamParseError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        raise EngineError(f"{what}: {root_cause(error)}") from error
    except (DockerException, StreamParseError, HTTPError, HTTPException, OSError) as error:
        raise EngineError(
            f"{what}: the Docker engine broke off ({root_cause(error)})",
            hint="Does it still run? `docker version` asks it. Then run the same command again.",
        ) from error
    except Exception as error:
        # Where the SDK, or we, take it apart; the SDK also raises the most general one.
        if (
            not isinstance(error, AttributeError | LookupError | TypeError | ValueError)
            and type(error) is not Exception
        ):
            raise
        raise EngineError(
            f"{what}: what the Docker engine tells is not as Docker tells it ({root_cause(error)})",
            hint="What answers at DOCKER_HOST may be another program: `docker version` asks it.",
        ) from error


def root_cause(error: BaseException) -> str:
    """The engine's own words if it said any, else the innermost message, without the wrapping of three libraries."""
    while not getattr(error, "explanation", None) and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__ or error
    words = str(getattr(error, "explanation", None) or error)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]} …"


def _ping(url: str, tls: Any) -> DockerClient:  # noqa: ANN401 - the SDK's TLSConfig, or None
    """A client of the engine at `url`. When none answers there, nothing that was opened stays open."""
    from docker import DockerClient
    from docker.constants import MINIMUM_DOCKER_API_VERSION
    from docker.errors import DockerException

    if url.startswith("ssh://") and importlib.util.find_spec("paramiko") is None:
        raise OSError("an engine behind SSH needs paramiko: pip install 'docker[ssh]'")
    _knock(url)
    # A client that is not given a version asks for it while it is made, and cannot be closed when that fails.
    answer: object = None
    first = DockerClient(base_url=url, version=MINIMUM_DOCKER_API_VERSION, tls=tls or False, timeout=PING_TIMEOUT)
    with contextlib.closing(first), contextlib.suppress(AttributeError, LookupError, TypeError):
        # Of an error that is worded otherwise than Docker's, the SDK raises such a one.
        answer = first.version(api_version=False)
    version = answer.get("ApiVersion") if isinstance(answer, dict) else None
    if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
        raise DockerException("what answers there is no Docker engine")
    return DockerClient(base_url=url, version=version, tls=tls or False, timeout=ENGINE_TIMEOUT)


def _knock(url: str) -> None:
    """Raises `OSError` when nobody listens at a Unix socket: the SDK would leave its own socket open."""
    from docker.utils import parse_host

    address = cast("str", parse_host(url))  # not bytes, as its stub has it
    if address.startswith("npipe:"):
        raise OSError("named pipes are there on Windows only")
    if address.startswith("http+unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(PING_TIMEOUT)
            knocking.connect(f"/{address.removeprefix('http+unix://').lstrip('/')}")


def _places() -> Iterator[tuple[str, Any]]:
    """Where an engine may be: DOCKER_HOST if it is set, else the chosen context, else the default and usual sockets."""
    if url := os.environ.get("DOCKER_HOST"):
        yield url, _tls()
        return
    context = _context()
    yield str(context.Host), context.TLSConfig
    if context.name != "default":
        return  # the user chose it: another engine would surprise
    for place in _SOCKETS:
        path = Path(os.path.expandvars(place)).expanduser()
        if path.is_socket() and f"unix://{path}" != context.Host:
            yield f"unix://{path}", None


def _tls() -> Any:  # noqa: ANN401 - the SDK's TLSConfig, or None
    """What DOCKER_TLS_VERIFY and DOCKER_CERT_PATH ask for."""
    from docker.errors import TLSParameterError
    from docker.utils import kwargs_from_env

    try:
        return kwargs_from_env().get("tls")
    except TLSParameterError as error:
        raise EngineError(
            "DOCKER_TLS_VERIFY or DOCKER_CERT_PATH is set, but there are no certificates to show to the engine",
            hint="Put cert.pem, key.pem and ca.pem into DOCKER_CERT_PATH (~/.docker without it), or unset both.",
        ) from error


def _context() -> Any:  # noqa: ANN401 - the SDK's Context
    """The current Docker context: DOCKER_CONTEXT's, else the one that `docker context use` chose."""
    from docker.context import ContextAPI

    name = os.environ.get("DOCKER_CONTEXT") or None
    try:
        context = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
    except Exception as error:  # the SDK raises no less general one for a file that it cannot read
        raise EngineError(
            f"the current Docker context cannot be read: {root_cause(error)}",
            hint="`docker context use default` chooses another; DOCKER_HOST goes before all of them.",
        ) from error
    if context is None:
        raise EngineError(
            f"the Docker context {name!r} does not exist" if name else "the current Docker context does not exist",
            hint="`docker context ls` shows the ones there are; `docker context use` chooses.",
        )
    return context
