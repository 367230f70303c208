"""The local cloud as commands see it: start, stop, find."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lambdacap.aws.hints import install_extra
from lambdacap.deployment.lock import held
from lambdacap.errors import LocalCloudError
from lambdacap.events import Finished, Report, Started
from lambdacap.images import docker_engine

KIND = "local cloud"
START_LIMIT = 60.0
"""Seconds; it takes one or two, more on a machine that compiles bytecode for the first time."""
STOP_LIMIT = 30.0
PATIENCE = 5.0
"""Seconds that a running cloud may take to say that it runs."""
CONCURRENCY = min(10, 2 * (os.cpu_count() or 1) + 2)
"""Events that run at a time, of all functions together; what goes beyond is answered with 429. A new AWS account has
10, and a small machine would do as much with fewer."""


@dataclass(frozen=True)
class Cloud:
    """`endpoint` is where AWS's APIs answer, `functions` where function processes are reached.

    `engine` is the Docker engine that runs images, or empty.
    """

    endpoint: str
    functions: str
    engine: str = ""

    @property
    def pid(self) -> int | None:
        """The process id that the running cloud gives of itself, or None when it does not answer."""
        answer = _get(self.functions)
        return int(answer["pid"]) if answer and "pid" in answer and _get(f"{self.endpoint}/_ministack/health") else None


def read_cloud(home: Path) -> Cloud:
    """The addresses of the local cloud of `home`, whether it runs or not."""
    try:
        return Cloud(**json.loads(_file(home).read_text("utf-8")))
    except FileNotFoundError as error:
        raise LocalCloudError("there is no local cloud", hint="`lambdacap local start` starts one.") from error
    except (ValueError, TypeError) as error:
        raise LocalCloudError(
            f"{_file(home)} is unreadable: {error}", hint="Delete that file and run `lambdacap local start`."
        ) from error


def write_cloud(home: Path, cloud: Cloud) -> None:
    """Note the addresses for `read_cloud`, which may be looking just then: it sees the old note or the new one."""
    draft = _file(home).with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(cloud)) + "\n", "utf-8")
    draft.replace(_file(home))


def known(home: Path) -> bool:
    """Whether there is a local cloud of `home`, running or not."""
    return _file(home).exists()


def running(home: Path) -> Cloud | None:
    """The local cloud of `home` if it answers."""
    if not known(home):
        return None
    cloud = read_cloud(home)
    return cloud if cloud.pid else None


def start(home: Path, report: Report, port: int | None = None) -> Cloud:
    """The running local cloud of `home`: the one that is there, or a new process that outlives this one.

    It listens on 127.0.0.1 only, at `port`, or where it was before, or at a free port. Of several commands that
    start it at once, one does, and the others find it running.
    """
    with held(home / "local.lock", wait=True):
        return _start(home, report, port)


def _start(home: Path, report: Report, port: int | None) -> Cloud:
    engine = docker_engine.host() or ""
    cloud = running(home)
    if cloud and engine not in ("", cloud.engine):
        # MiniStack looks for its engine once. What is deployed comes back.
        stop(home, report)
        cloud = None
    if cloud:
        if port and not cloud.endpoint.endswith(f":{port}"):
            raise LocalCloudError(
                f"the local cloud runs at {cloud.endpoint} already", hint="`lambdacap local stop` stops it."
            )
        return cloud
    if importlib.util.find_spec("ministack") is None or importlib.util.find_spec("onnxruntime") is None:
        raise LocalCloudError("the local cloud is not installed", hint=install_extra("local"))
    report(Started(KIND, "starting the local cloud"))
    before = read_cloud(home) if known(home) else None
    port = port or (_port(before.endpoint) if before else _free_port())
    functions_port = _port(before.functions) if before else _free_port()
    for wanted in (port, functions_port):
        _check_free(wanted)
    folder = home / "local"
    (folder / "tmp").mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / "cloud.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "lambdacap.local.server", str(home), str(port), str(functions_port)],
            cwd=folder,
            env=_environment(folder, port, engine),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_LIMIT
    try:
        while time.monotonic() < deadline:
            cloud = running(home)
            if cloud and cloud.pid == process.pid:
                process.returncode = 0  # it outlives us on purpose, which Popen would warn of
                report(Finished(KIND, "started", cloud.endpoint))
                return cloud
            if process.poll() is not None:
                break
            time.sleep(0.05)
    finally:
        # Ctrl-C too leaves none behind that nobody waits for.
        if process.returncode is None:
            process.kill()
            process.wait()
    tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-8:])
    raise LocalCloudError(f"the local cloud did not start:\n{tail}", hint=f"Its whole log is {log}.")


def stop(home: Path, report: Report) -> bool:
    """Stop the local cloud of `home`; what is deployed there comes back with the next `start`.

    Returns whether it was running.
    """
    cloud = running(home)
    pid = cloud.pid if cloud else None
    if pid is None:
        return False
    report(Started(KIND, "stopping the local cloud"))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT
    while _alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            raise LocalCloudError(
                f"the local cloud (process {pid}) did not stop within {STOP_LIMIT:.0f} s and was killed",
                hint="What was deployed there since its start is lost; deploy it again.",
            )
        time.sleep(0.02)
    report(Finished(KIND, "stopped"))
    return True


def discard(home: Path, report: Report) -> None:
    """Stop the local cloud and delete all that it kept."""
    if home.is_dir():
        with held(home / "local.lock", wait=True):
            stop(home, report)
            shutil.rmtree(home / "local", ignore_errors=True)
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()


def _file(home: Path) -> Path:
    return home / "local" / "cloud.json"


def _environment(folder: Path, port: int, engine: str) -> dict[str, str]:
    """MiniStack's settings (its documentation, "Configuration"), and nothing of the user's AWS set-up."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {
        **inherited,
        **({"DOCKER_HOST": engine} if engine else {}),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "TMPDIR": str(folder / "tmp"),
        # As on Lambda, nothing can be written but /tmp, and there 512 MB.
        "LAMBDA_DOCKER_FLAGS": "--read-only --tmpfs /tmp:exec,size=512m",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENCY),
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


def _get(url: str) -> dict[str, Any] | None:
    import requests

    with requests.Session() as session:
        session.trust_env = False  # a proxy does not know our 127.0.0.1
        try:
            answer = session.get(url, timeout=PATIENCE)
            return dict(answer.json()) if answer.ok else None
        except (requests.RequestException, ValueError):
            return None


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        # Reaps it if it is our own child; a zombie would count as alive for ever.
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalCloudError(
                f"port {port} on 127.0.0.1 cannot be used: {error.strerror}",
                hint="Stop what uses it, or choose another: `lambdacap local start --port 4567`.",
            ) from error
