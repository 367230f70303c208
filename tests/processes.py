"""What runs and listens on this machine, read from /proc."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"


def belonging_to(home: Path) -> list[int]:
    """Processes that name `home` in their command line, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            folder = str((process / "cwd").readlink())
        except OSError:  # gone meanwhile, or somebody else's
            continue
        if str(home).encode() in command or folder.startswith(f"{home}/"):
            found.append(int(process.name))
    return found


def working_in(folder: Path) -> list[int]:
    """Processes whose current folder is `folder` or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def addresses_of(pid: int) -> set[str]:
    """The addresses on which process `pid` listens, as `host:port`; IPv6 hosts in hexadecimal."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text("ascii").splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTEN and inode in sockets:
                host, port = local.split(":")
                name = socket.inet_ntoa(bytes.fromhex(host)[::-1]) if table == "tcp" else host
                addresses.add(f"{name}:{int(port, 16)}")
    return addresses


def listens(port: int) -> bool:
    """Whether anything answers at `port` of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nothing_stays_open() -> Iterator[None]:
    """Asserts that this process has, after the block, the open files and sockets and the children that it had before.

    A server that the test runs in this process may take a moment to close its end.
    """
    before = _held()
    yield
    deadline = time.monotonic() + 3
    while _held() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _held() == before


def _held() -> tuple[list[str], list[str]]:
    files = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            files.append(str(descriptor.readlink()))
    children = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # that of a thread which has just ended
            children += (task / "children").read_text("ascii").split()
    return sorted(files), sorted(children)
