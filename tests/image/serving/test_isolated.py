"""What the process apart keeps from the one that asks: time, memory, crashes, credentials."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from serving import isolated

Request = dict[str, Any]
_leaked: list[bytes] = []


def work(request: Request, data: bytes, answer: BinaryIO) -> None:
    """Does what it is asked to, in the process apart, and says who and where it is."""
    match request.get("do"):
        case "burn":
            while True:
                pass
        case "take":
            bytearray(request["bytes"])
        case "leak":
            _leaked.append(b"x" * request["bytes"])
        case "wait":
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            time.sleep(60)
        case "crash":
            ctypes.string_at(0)
    files = sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    seen = {"pid": os.getpid(), "environment": dict(os.environ), "files": files, "length": len(data)}
    answer.write(json.dumps(seen).encode())


def ask(data: bytes = b"", **request: object) -> dict[str, Any]:
    seen: dict[str, Any] = json.loads(isolated.run(work, request, data))
    return seen


def test_one_process_answers_one_after_the_other() -> None:
    first = ask(bytes(4_500_000))
    assert first["length"] == 4_500_000
    assert ask()["pid"] == first["pid"] != os.getpid()


def test_it_has_neither_our_environment_nor_our_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    ask()
    ask(do="leak", bytes=isolated.MAX_GROWTH)  # the next is another
    with Path(__file__).open("rb"):
        seen = ask()
    assert not {name for name in seen["environment"] if name.startswith("AWS")}
    assert set(seen["files"]) - {0, 1, 2, 3} == {seen["files"][-1]}  # the folder that it lists


def test_time_is_bounded() -> None:
    began = time.process_time()
    with pytest.raises(isolated.ExhaustedError):
        ask(do="burn")
    assert time.process_time() - began < 0.5  # of this process
    with pytest.raises(isolated.ExhaustedError):
        ask(do="wait")
    assert ask()["pid"]


def test_memory_is_bounded() -> None:
    assert ask(do="take", bytes=isolated.MEMORY * 9 // 10)
    with pytest.raises(isolated.CrashedError, match="exit code 1"):
        ask(do="take", bytes=isolated.MEMORY * 11 // 10)
    assert ask()["pid"]


def test_a_crash_is_told_and_the_next_request_finds_another_process() -> None:
    before = ask()["pid"]
    with pytest.raises(isolated.CrashedError, match="SIGSEGV"):
        ask(do="crash")
    assert ask()["pid"] != before


def test_one_that_grows_is_replaced() -> None:
    before = ask()["pid"]
    assert ask(do="leak", bytes=isolated.MAX_GROWTH)["pid"] == before
    assert ask()["pid"] != before
    assert not Path(f"/proc/{before}").exists()


def test_one_that_was_ended_while_it_waited_is_replaced() -> None:
    before = ask()["pid"]
    os.kill(before, signal.SIGKILL)
    while "Z" not in Path(f"/proc/{before}/stat").read_text("ascii").rpartition(")")[2]:
        time.sleep(0.01)
    assert ask(bytes(100))["pid"] != before
