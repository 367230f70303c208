"""The note that the local cloud leaves of itself: where it listens, and which process it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from lambdacap.errors import LocalCloudError
from lambdacap.local import secret

FUNCTION_PROCESS = "function-process:"
"""What a function names as its proxy whose events run in a process of ours: no address that anybody could ask."""


@dataclass(frozen=True)
class Cloud:
    """`endpoint` is where AWS's APIs and the deployed ones answer, `engine` the Docker engine that runs images.

    `pid` is the process that listens there, 0 once it has ended in order. `secret` is in no note.
    """

    endpoint: str
    engine: str = ""
    pid: int = 0
    secret: str = field(default="", repr=False, compare=False)

    @property
    def port(self) -> int:
        return urlsplit(self.endpoint).port or 0


def read_cloud(home: Path) -> Cloud:
    """The addresses of the local cloud of `home`, whether it runs or not."""
    try:
        note = json.loads(_file(home).read_text("utf-8"))
        cloud = Cloud(note["endpoint"], note.get("engine", ""), int(note.get("pid", 0)))
        _check(cloud)
    except FileNotFoundError as error:
        raise LocalCloudError("there is no local cloud", hint="`lambdacap local start` starts one.") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LocalCloudError(
            f"{_file(home)} is unreadable: {error}", hint="Delete that file and run `lambdacap local start`."
        ) from error
    return replace(cloud, secret=secret.read(home)) if cloud.pid else cloud


def write_cloud(home: Path, cloud: Cloud) -> None:
    """Leave the note for `read_cloud`, which may be looking just then: it sees the old note or the new one."""
    draft = _file(home).with_suffix(".tmp")
    note = {"endpoint": cloud.endpoint, "engine": cloud.engine, "pid": cloud.pid}
    draft.write_text(json.dumps(note) + "\n", "utf-8")
    draft.replace(_file(home))


def known(home: Path) -> bool:
    """Whether there is a local cloud of `home`, running or not."""
    return _file(home).exists()


def _check(cloud: Cloud) -> None:
    if not (isinstance(cloud.engine, str) and cloud.endpoint.startswith("http://127.0.0.1:") and cloud.port):
        raise ValueError(f"{cloud.endpoint} is no address of this machine")


def _file(home: Path) -> Path:
    return home / "local" / "cloud.json"
