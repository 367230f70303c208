"""The local cloud's process: MiniStack behind the guard, and the functions beside it.

One process and one port, so that whatever ends it ends all of it, and nothing of it is reached but through the guard;
function processes end by themselves when their pipe closes. Started by `cloud.start`, which hands over everything by
the command line, the environment and the files in the cloud's home.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from lambdacap.aws.clients import LOCAL_KEY
from lambdacap.deployment.lock import held
from lambdacap.errors import LambdacapError
from lambdacap.local import ports, secret
from lambdacap.local.checkpoint import Checkpoint
from lambdacap.local.functions import Functions
from lambdacap.local.guard import Guard
from lambdacap.local.kept import log_file, print_into, process_lock, rotate
from lambdacap.local.note import Cloud, write_cloud

FROM_CONTAINERS = "host.docker.internal"
"""The name by which functions' containers know this machine."""
KEEP_ALIVE = 75.0
"""Seconds for which a connection stays open that nothing is asked on: MiniStack's own."""
LOOK_AT_LOG = 10.0
"""Seconds between two looks at the log's size."""


def main(home: Path, port: int) -> None:
    os.umask(0o077)
    key = secret.read(home)
    # The lock says whose process this is for as long as it lives. It comes before the port, and the port before the
    # note: whoever reads the note can be sure that this process is the one who listens.
    with held(process_lock(home), wait=True), _listening(port) as listener:
        ports.close()
        cloud = Cloud(f"http://127.0.0.1:{port}", os.environ.get("DOCKER_HOST", ""), os.getpid(), key)
        # MiniStack reads its settings from the environment when it is imported.
        from lambdacap.local.emulator import Emulator

        emulator = Emulator(key)
        functions = Functions(home, cloud, emulator.execution_credentials)
        emulator.run_with(functions.invoke)
        names = {FROM_CONTAINERS} if cloud.engine else set[str]()
        write_cloud(home, cloud)
        try:
            guard = Guard(emulator, (LOCAL_KEY, key), port, names, Checkpoint(emulator.save))
            asyncio.run(_serve(guard, listener, home))
        finally:
            functions.stop()
        write_cloud(home, replace(cloud, pid=0))


async def _serve(guard: Guard, listener: socket.socket, home: Path) -> None:
    """Serve until SIGTERM, as MiniStack itself would."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.typing import ASGIFramework

    _allow_many_connections()
    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]  # Hypercorn closes it
    config.keep_alive_timeout = KEEP_ALIVE
    config.loglevel = "WARNING"
    rotation = asyncio.create_task(_keep_log_small(log_file(home)))
    await serve(cast("ASGIFramework", guard), config)
    rotation.cancel()


async def _keep_log_small(log: Path) -> None:
    while True:
        await asyncio.sleep(LOOK_AT_LOG)
        if rotate(log):
            print_into(log)


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(("127.0.0.1", port))
        yield listener


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # the system's own limit is lower
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except LambdacapError as error:  # a sentence for the log's last line, which `cloud.start` shows
        sys.exit(error.message)
