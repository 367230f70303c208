"""Where no engine answers, that is said, and nothing that was opened stays open."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lambdacap.errors import EngineError
from lambdacap.images import docker_engine
from tests import processes
from tests.command import NO_ENGINE, Command
from tests.contexts import add_context, configure, context
from tests.nobody import dead_port, dead_socket, full_queue, hangs_up
from tests.servers import Answer, serving


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_engine, "PING_TIMEOUT", 0.2)


@pytest.fixture
def building(lambdacap: Command) -> Command:
    """The command in a folder with an image, told of no engine."""
    (lambdacap.folder / "image").mkdir()
    (lambdacap.folder / "image" / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    return replace(lambdacap, environ={"LAMBDACAP_IMAGE": "image", "DOCKER_HOST": ""})


def refused(host: str, monkeypatch: pytest.MonkeyPatch) -> EngineError:
    """What `connect` says of an engine at `host`; nothing else may have changed by then.

    The error is kept while it is looked: what lives in its traceback cannot have been collected.
    """
    monkeypatch.setenv("DOCKER_HOST", host)
    with processes.nothing_stays_open(), pytest.raises(EngineError) as caught:
        docker_engine.connect()
    assert caught.value.hint
    with processes.nothing_stays_open():
        assert docker_engine.host() is None
    with processes.nothing_stays_open(), pytest.raises(EngineError):
        docker_engine.describe()
    return caught.value


@pytest.fixture
def somewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A DOCKER_HOST of the kind that the test names."""
    path = tmp_path / "docker.sock"
    unix, port = f"unix://{path}", dead_port()
    with contextlib.ExitStack() as stack:
        match request.param:
            case "a socket that is not there":
                yield unix
            case "a socket below a folder that is not there":
                yield NO_ENGINE
            case "a socket that nobody listens at":
                yield f"unix://{dead_socket(tmp_path)}"
            case "a file that is no socket":
                path.touch()
                yield unix
            case "a path that is too long":
                yield f"unix://{tmp_path}/{'long' * 40}"
            case "a socket that takes nobody":
                stack.enter_context(full_queue(str(path)))
                yield unix
            case "a socket that hangs up":
                stack.enter_context(hangs_up(path))
                yield unix
            case "a socket that does not speak HTTP":
                stack.enter_context(hangs_up(path, b"SSH-2.0-OpenSSH_9.2\r\n"))
                yield unix
            case "a port that nobody listens at":
                yield f"tcp://127.0.0.1:{port}"
            case "a port that takes nobody":
                stack.enter_context(full_queue(("127.0.0.1", port)))
                yield f"tcp://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("somewhere", "says"),
    [
        ("a socket that is not there", "No such file"),
        ("a socket below a folder that is not there", "No such file"),
        ("a socket that nobody listens at", "Connection refused"),
        ("a file that is no socket", "Connection refused"),
        ("a path that is too long", "too long"),
        ("a socket that takes nobody", "no Docker engine answers"),
        ("a socket that hangs up", "no Docker engine answers"),
        ("a socket that does not speak HTTP", "no Docker engine answers"),
        ("a port that nobody listens at", "Connection refused"),
        ("a port that takes nobody", "timed out"),
    ],
    indirect=["somewhere"],
)
def test_nobody_answers(somewhere: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused(somewhere, monkeypatch)
    assert error.message.startswith(f"no Docker engine answers ({somewhere}: ")
    assert says in error.message
    assert "--local" in error.hint


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b'{"message": "page not found"}'),
        Answer(500, b""),
        Answer(200, b"<html>", "text/html"),
        Answer(200, b"[]"),
        Answer(200, b"{}"),
        Answer(200, json.dumps({"ApiVersion": 1.44}).encode()),
        Answer(200, json.dumps({"ApiVersion": "new"}).encode()),
        Answer(200, json.dumps({"ApiVersion": "1.2"}).encode()),
        Answer(delay=1),
    ],
    ids=["not found", "broken", "a page", "a list", "no version", "a number", "a word", "too old", "silence"],
)
def test_somebody_else_answers(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answer) as server:
        refused(server.url.replace("http", "tcp").rstrip("/"), monkeypatch)
        assert {(asked.method, asked.path) for asked in server.asked} == {("GET", "/version")}


@pytest.mark.parametrize("host", ["nonsense", "tcp://", "tcp://127.0.0.1:99999", "fd://", "npipe://pipe", "ssh://x"])
def test_an_address_that_is_none(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(host, monkeypatch)


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(EngineError, match="no certificates") as caught:
        docker_engine.connect()
    assert "ca.pem" in caught.value.hint


def test_a_socket_that_may_not_be_used(building: Command, tmp_path: Path) -> None:
    dead = dead_socket(tmp_path)
    dead.chmod(0)
    if os.geteuid() == 0:
        # Root without root's power over files.
        wrapper = tmp_path / "lambdacap"
        drop = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"
        wrapper.write_text(f'#!/bin/sh\nexec {drop} {building.executable} "$@"\n', "utf-8")
        wrapper.chmod(0o755)
        building = replace(building, executable=wrapper)
    failed = replace(building, environ={**building.environ, "DOCKER_HOST": f"unix://{dead}"})("build", code=1)
    assert "Permission denied" in failed.stderr
    assert "usermod -aG docker" in failed.stderr


def test_a_context_whose_engine_is_down(building: Command, tmp_path: Path) -> None:
    dead = dead_socket(tmp_path)
    add_context(building, "dead", context("dead", f"unix://{dead}"))
    configure(building, currentContext="dead")
    failed = building("build", code=1)
    assert f"no Docker engine answers (unix://{dead}: " in failed.stderr
    assert "Connection refused" in failed.stderr


@pytest.mark.parametrize(
    ("content", "says"), [(None, "the current Docker context does not exist"), ("{", "cannot be read")]
)
def test_a_context_that_is_none(content: str | None, says: str, building: Command) -> None:
    if content:
        add_context(building, "gone", content)
    configure(building, currentContext="gone")
    failed = building("build", code=1)
    assert says in failed.stderr
    assert "docker context" in failed.stderr
