"""The local cloud as commands see it: start, stop, find."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from lambdacap import children
from lambdacap.aws.hints import install_extra
from lambdacap.deployment.lock import held, holder
from lambdacap.errors import LocalCloudError
from lambdacap.events import Finished, Report, Started, Warned
from lambdacap.images import docker_engine
from lambdacap.local import secret
from lambdacap.local.kept import log_file, mark_made, process_lock, remove, remove_empty, rotate
from lambdacap.local.note import Cloud, known, read_cloud, write_cloud

__all__ = ["Cloud", "discard", "known", "read_cloud", "running", "start", "stop", "variables", "write_cloud"]

KIND = "local cloud"
START_LIMIT = 60.0
"""Seconds; it takes one or two, more on a machine that compiles bytecode for the first time."""
STOP_LIMIT = 30.0
PATIENCE = 5.0
"""Seconds that a running cloud may take to say that it runs."""
CONCURRENCY = min(10, 2 * (os.cpu_count() or 1) + 2)
"""Events that run at a time, of all functions together; what goes beyond is answered with 429. A new AWS account has
10, and a small machine would do as much with fewer."""


def running(home: Path) -> Cloud | None:
    """The local cloud of `home` if it answers.

    The process that the note names has to hold the cloud's lock: then nobody else listens at its address, and its
    number has not become another process's. Who listens otherwise is told nothing.
    """
    if not known(home):
        return None
    cloud = read_cloud(home)
    return cloud if cloud.pid and holder(process_lock(home)) == cloud.pid and _answers(cloud) else None


def start(home: Path, report: Report, port: int | None = None) -> Cloud:
    """The running local cloud of `home`: the one that is there, or a new process that outlives this one.

    It listens on 127.0.0.1 only, at `port`, or where it was before, or at a free port. Of several commands that
    start it at once, one does, and the others find it running.
    """
    new = not home.exists()
    with held(home / "local.lock", wait=True):
        if new:
            secret.private(home / "local")
            mark_made(home)
        return _start(home, report, port)


def _start(home: Path, report: Report, port: int | None) -> Cloud:
    engine = docker_engine.host() or ""
    cloud = running(home)
    if cloud and engine not in ("", cloud.engine):
        # MiniStack looks for its engine once. What is deployed comes back.
        _stop(home, report)
        cloud = None
    if cloud:
        if port and cloud.port != port:
            raise LocalCloudError(
                f"the local cloud runs at {cloud.endpoint} already", hint="`lambdacap local stop` stops it."
            )
        return cloud
    if importlib.util.find_spec("ministack") is None or importlib.util.find_spec("onnxruntime") is None:
        raise LocalCloudError("the local cloud is not installed", hint=install_extra("local"))
    if pid := holder(process_lock(home)):
        raise LocalCloudError(
            f"the local cloud (process {pid}) runs, but does not answer",
            hint="`lambdacap local stop` ends it; its log is " + str(log_file(home)),
        )
    report(Started(KIND, "starting the local cloud"))
    before = read_cloud(home) if known(home) else None
    port = port or (before.port if before else _free_port())
    _check_free(port)
    key = secret.make(home)
    for folder in ("tmp", "docker", "state"):
        secret.private(home / "local" / folder)
    _let_pull(home, port, key)
    cloud = _launch(home, port, engine)
    report(Finished(KIND, "started", cloud.endpoint))
    if before and before.pid:
        report(
            Warned(
                "the local cloud was killed before: what was changed there in its last second, log lines, and large "
                "images that were pushed to it are lost; `lambdacap deploy --local` makes what is missing"
            )
        )
    return cloud


def _launch(home: Path, port: int, engine: str) -> Cloud:
    """Start the process, and wait until it answers."""
    log = log_file(home)
    rotate(log, always=True)
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as stream:
        process = subprocess.Popen(
            children.python("lambdacap.local.server", home.absolute(), port),
            cwd=home / "local",
            env=_environment(home.absolute() / "local", port, engine),
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
    if holder(process_lock(home)) is None:
        return False
    with held(home / "local.lock", wait=True):
        return _stop(home, report)


def _stop(home: Path, report: Report) -> bool:
    lock = process_lock(home)
    # Who holds the lock is the cloud: a number alone may be another process's by now.
    pid = holder(lock)
    if pid is None:
        return False
    report(Started(KIND, "stopping the local cloud"))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT
    while _alive(pid):
        if time.monotonic() > deadline and holder(lock) == pid:
            os.kill(pid, signal.SIGKILL)
            raise LocalCloudError(
                f"the local cloud (process {pid}) did not stop within {STOP_LIMIT:.0f} s and was killed",
                hint="What was deployed there since its start may be lost; deploy it again.",
            )
        time.sleep(0.02)
    report(Finished(KIND, "stopped"))
    return True


def variables(cloud: Cloud) -> dict[str, str]:
    """The environment that signs AWS's own tools in at `cloud`."""
    from lambdacap.aws.clients import LOCAL_KEY, LOCAL_REGION

    return {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": LOCAL_KEY,
        "AWS_SECRET_ACCESS_KEY": cloud.secret,
        "AWS_REGION": LOCAL_REGION,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
    }


def discard(home: Path, report: Report) -> None:
    """Stop the local cloud and delete all that it kept."""
    if home.is_dir():
        try:
            with held(home / "local.lock", wait=True):
                _stop(home, report)
                made = remove(home)
            if made:
                remove_empty(home)
        except OSError as error:
            raise LocalCloudError(f"what the local cloud kept cannot be deleted: {error}") from error


def _let_pull(home: Path, port: int, key: str) -> None:
    """Give MiniStack's own pulls the registry's password, in a Docker configuration that only they read."""
    pair = f"{secret.REGISTRY_USER}:{secret.registry_password(key)}"
    auths = {f"127.0.0.1:{port}": {"auth": base64.b64encode(pair.encode()).decode()}}
    file = home / "local" / "docker" / "config.json"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as stream:
        json.dump({"auths": auths}, stream)


def _environment(folder: Path, port: int, engine: str) -> dict[str, str]:
    """MiniStack's settings (its documentation, "Configuration"), and nothing of the user's AWS set-up."""
    # How the engine is reached, if it is not a socket of this machine.
    engines = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_TLS", "SSH_AUTH_SOCK")
    reached = {key: os.environ[key] for key in engines if key in os.environ}
    proxies = {key: value for key, value in os.environ.items() if key.startswith("MINISTACK_LAMBDA_PROXY_")}
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "TMPDIR": str(folder / "tmp"),
        "DOCKER_CONFIG": str(folder / "docker"),
        # As on Lambda, nothing can be written but /tmp, and there 512 MB.
        "LAMBDA_DOCKER_FLAGS": "--read-only --tmpfs /tmp:exec,size=512m",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENCY),
        # Seconds: an engine that has much to do takes longer than its 10 to make a container.
        "MINISTACK_DOCKER_TIMEOUT": "60",
        "LOG_LEVEL": "WARNING",
        # Its listeners that no guard stands before.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        **proxies,
    }
    engine_settings = {"DOCKER_HOST": engine, **reached} if engine else {}
    return children.environment(os.environ, (), **engine_settings, **settings)


def _answers(cloud: Cloud) -> bool:
    import requests

    with requests.Session() as session:
        session.trust_env = False  # a proxy does not know our 127.0.0.1
        session.auth = (secret.REGISTRY_USER, cloud.secret)
        try:
            return session.get(f"{cloud.endpoint}/_ministack/health", timeout=PATIENCE).ok
        except requests.RequestException:
            return False


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        # Reaps it if it is our own child; a zombie would count as alive for ever.
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


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
