"""The local cloud as a process: starts, outlives who started it, stops, comes back, and is missed when killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from lambdacap.deployment.record import Records
from lambdacap.errors import LocalCloudError
from lambdacap.events import silent
from lambdacap.local import cloud, secret
from tests import processes
from tests.command import Command
from tests.nobody import dead_port, full_queue

PICTURE = b"\xff\xd8\x00\xff"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    from PIL import Image

    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(path)
    return path


def kill(home: Path) -> int:
    """Kill the cloud of `home` as a crash would; returns its process id."""
    running = cloud.running(home)
    assert running is not None
    pid = running.pid
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while processes.belonging_to(home):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return pid


def test_it_outlives_the_command_and_listens_on_this_machine_only(own_cloud: Command) -> None:
    started = own_cloud("local", "start", "--json").data
    running = cloud.read_cloud(own_cloud.home)
    assert own_cloud("local", "status", "--json").data["running"] is True
    assert own_cloud("local", "start").stdout.strip() == started["endpoint"]
    assert running.pid == started["pid"]

    addresses = {a for pid in processes.belonging_to(own_cloud.home) for a in processes.addresses_of(pid)}
    assert addresses == {f"127.0.0.1:{running.port}"}

    assert own_cloud("local", "stop", "--json").data == {"stopped": True}
    assert processes.belonging_to(own_cloud.home) == []
    assert not processes.listens(running.port)
    assert own_cloud("local", "stop").stdout == "it was not running\n"
    assert own_cloud("local", "status").stdout == "not running; nothing is deployed\n"


def test_a_port_that_is_taken(own_cloud: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = own_cloud("local", "start", "--port", port, code=1)
    assert f"port {port} on 127.0.0.1 cannot be used: Address already in use" in refused.stderr
    assert "hint:" in refused.stderr
    assert "--port" in refused.stderr
    assert processes.belonging_to(own_cloud.home) == []


def test_a_port_of_ones_own(own_cloud: Command) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert own_cloud("local", "start", "--port", port).stdout == f"http://127.0.0.1:{port}\n"
    other = own_cloud("local", "start", "--port", port - 1, code=1)
    assert f"runs at http://127.0.0.1:{port} already" in other.stderr


@pytest.mark.slow
def test_what_is_deployed_comes_back_and_a_crash_is_survived(own_cloud: Command, photo: Path) -> None:
    """One cloud for a long story, since each start takes seconds."""
    url = own_cloud("deploy", "--local").stdout.strip()
    own_cloud("local", "stop")
    # Whoever listens at its address meanwhile gets neither the photo nor the key: nobody even knocks.
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", urlsplit(url).port or 0))
        somebody.listen()
        somebody.setblocking(False)
        gone = own_cloud("invoke", photo, code=1)
        with pytest.raises(BlockingIOError):
            somebody.accept()
    assert "the local cloud does not answer" in gone.stderr
    assert "lambdacap local start" in gone.stderr
    own_cloud("local", "start")
    # Its ports are the same, so the address of the API is too.
    assert own_cloud("invoke", photo).stdout == f"{photo.stat().st_size} bytes\n"
    assert own_cloud("status", "--json").data["url"] == url
    with requests.post(url, data=PICTURE, headers={"Content-Type": "image/png"}, timeout=10) as answer:
        assert answer.json()["caption"] == "4 bytes"

    time.sleep(2)  # until the last change is written
    kill(own_cloud.home)
    assert own_cloud("local", "status").stdout == "not running; deployed: lambdacap\n"
    assert "the local cloud does not answer" in own_cloud("invoke", photo, code=1).stderr
    # What was deployed comes back, and what may be lost is said.
    assert "the local cloud was killed before" in own_cloud("local", "start").stderr
    assert own_cloud("invoke", photo).stdout == f"{photo.stat().st_size} bytes\n"
    assert own_cloud("deploy", "--local", "--json").data["changed"] is False
    assert own_cloud("invoke", photo).stdout == f"{photo.stat().st_size} bytes\n"

    kill(own_cloud.home)
    state = own_cloud("status", code=None)
    assert state.code in (0, 1)
    assert "defect" not in state.stderr
    kill(own_cloud.home)
    own_cloud("teardown", "--yes")
    assert not own_cloud.home.exists()
    assert processes.belonging_to(own_cloud.home) == []


@pytest.mark.usefixtures("no_engine")
def test_a_cloud_that_cannot_start_says_why(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "local").mkdir(parents=True)
    # What the process would do first.
    (home / "local" / "cloud.pid").mkdir()
    with pytest.raises(LocalCloudError, match="did not start") as caught:
        cloud.start(home, silent)
    sentence = f"{home / 'local' / 'cloud.pid'} cannot be written: Is a directory"
    assert caught.value.message == f"the local cloud did not start:\n{sentence}"
    assert str(home / "local" / "cloud.log") in caught.value.hint
    assert processes.belonging_to(home) == []
    assert cloud.running(home) is None


def test_a_start_that_is_interrupted_leaves_no_process(own_cloud: Command) -> None:
    process = own_cloud.start("local", "start")
    deadline = time.monotonic() + 30
    while len(processes.belonging_to(own_cloud.home)) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.1)  # until the command waits for it
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert processes.belonging_to(own_cloud.home) == []


@pytest.mark.parametrize("text", ["", "[]", '{"endpoint": 1}', "{"])
def test_an_unreadable_note_says_what_to_do(text: str, tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "cloud.json").write_text(text, "utf-8")
    with pytest.raises(LocalCloudError, match="is unreadable") as caught:
        cloud.running(tmp_path)
    assert "Delete that file" in caught.value.hint


def test_no_note_is_no_cloud(tmp_path: Path) -> None:
    assert cloud.running(tmp_path) is None
    with pytest.raises(LocalCloudError, match="there is no local cloud"):
        cloud.read_cloud(tmp_path)
    assert cloud.stop(tmp_path, silent) is False


@pytest.mark.parametrize("queue_is_full", [False, True], ids=["nobody", "silence"])
def test_nothing_stays_open_where_no_cloud_answers(
    queue_is_full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "PATIENCE", 0.2)
    port = dead_port()
    (tmp_path / "local").mkdir()
    cloud.write_cloud(tmp_path, cloud.Cloud(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}"))
    with full_queue(("127.0.0.1", port)) if queue_is_full else nullcontext(), processes.nothing_stays_open():
        assert cloud.running(tmp_path) is None
        assert cloud.stop(tmp_path, silent) is False


def test_somebody_else_at_the_noted_address_is_not_our_cloud(own_cloud: Command) -> None:
    """A port is reused by another program after a reboot: it must not be taken for ours, nor be killed."""
    from tests.servers import Answer, serving

    home = own_cloud.home
    (home / "local").mkdir(parents=True)
    with serving(Answer(body=json.dumps({"hello": "world"}).encode())) as server:
        note = {"endpoint": server.url.rstrip("/"), "pid": os.getpid()}
        (home / "local" / "cloud.json").write_text(json.dumps(note), "utf-8")
        secret.make(home)
        result = own_cloud("local", "status", code=None)
        stopped = own_cloud("local", "stop", code=None)
    # It was not even asked, and so has learned nothing.
    assert server.asked == []
    assert stopped.stdout == "it was not running\n"
    shutil.rmtree(home / "local")
    assert (result.code, result.stdout) == (0, "not running; nothing is deployed\n"), result.stderr


def test_discarding_spares_the_records_of_others(tmp_path: Path) -> None:
    from lambdacap.deployment.record import Deployment

    Records(tmp_path).save(Deployment("x", target="aws", account="1", region="eu-central-1"))
    (tmp_path / "local").mkdir()
    cloud.discard(tmp_path, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["deployments"]
