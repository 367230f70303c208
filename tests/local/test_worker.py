"""A function process ends with who started it, and takes along what it has started itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lambdacap import children
from lambdacap.local import worker

SPINS = """
import os, subprocess, sys
def handler(event, context):
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    print(os.getpid(), child.pid, flush=True)
    while True:
        pass
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_it_ends_with_its_parent_whatever_it_does(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(SPINS, "utf-8")
    watched, lifeline = os.pipe()
    process = subprocess.Popen(
        [sys.executable, worker.__file__, str(watched)],
        cwd=tmp_path,
        env={**children.environment(os.environ, _HANDLER="handler.handler"), "PYTHONSAFEPATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[watched],
        process_group=0,
    )
    os.close(watched)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    assert json.loads(process.stdout.readline()) == {"ready": True}
    context = dict.fromkeys(("function_name", "function_version", "invoked_function_arn", "aws_request_id"), "x")
    context |= dict.fromkeys(("log_group_name", "log_stream_name"), "x")
    event = {"event": {}, "context": {**context, "memory_limit_in_mb": 1, "deadline": time.time() + 60}}
    process.stdin.write(json.dumps(event).encode() + b"\n")
    process.stdin.flush()
    pids = [int(word) for word in process.stderr.readline().split()]
    assert len(pids) == 2
    assert not any(gone(pid) for pid in pids)
    os.close(lifeline)  # as the kernel does when the parent is killed
    deadline = time.monotonic() + 20
    while not all(gone(pid) or (pid == process.pid and process.poll() is not None) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.wait(20) == -9
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
