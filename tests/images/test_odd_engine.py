"""Whatever answers where an engine should: a sentence, and no waiting for ever."""

from __future__ import annotations

import contextlib
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdacap.errors import EngineError
from lambdacap.events import silent
from lambdacap.images import docker_engine, docker_image, docker_layers, docker_push, docker_stages
from lambdacap.settings import Settings
from tests.faults.odd import spoilt
from tests.servers import Asked, Handler, Reply, listening

ID = "sha256:" + "1" * 64
IMAGE = {
    "Id": ID,
    "RepoTags": ["captions:" + "0" * 20],
    "RepoDigests": ["registry/captions@" + ID],
    "Size": 1000,
    "Os": "linux",
    "Architecture": "amd64",
    "Config": {"Labels": {"lambdacap": "captions", "lambdacap.stage": "x"}},
    "Descriptor": {"mediaType": "application/vnd.oci.image.manifest.v1+json"},
}
SUMMARY = {**IMAGE, "Labels": IMAGE["Config"]["Labels"]}  # type: ignore[index]
CONTAINER = {"Id": "2" * 64, "Image": ID, "State": {"Status": "exited"}, "Config": {"Labels": {}}, "Names": ["/x"]}
STEPS = 40


def saved() -> bytes:
    """What the engine sends of an image."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in {"layer.tar": b"x" * 100, "manifest.json": b'[{"Layers": ["layer.tar"]}]'}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def usual(asked: Asked) -> Any:  # noqa: ANN401 - JSON, or bytes
    """What an engine answers, near enough."""
    path = asked.path.partition("?")[0].split("/", 2)[2] if asked.path.startswith("/v1") else asked.path[1:]
    built = [{"stream": "Step 1/1 : FROM scratch"}, {"status": "Pulling", "id": "a", "progressDetail": {"total": 5}}]
    pushed = [{"status": "Pushed", "id": "a"}, {"status": f"x: digest: {ID} size: 5"}, {"aux": {"Digest": ID}}]
    table: list[tuple[str, Any]] = [
        ("version", {"ApiVersion": "1.41", "Version": "28"}),
        ("info", {"ServerVersion": "28", "Architecture": "x86_64", "OperatingSystem": "x", "DockerRootDir": "/x"}),
        ("_ping", b"OK"),
        ("build", built),
        ("/push", pushed),
        ("/history", [{"Id": ID, "Size": 5, "CreatedBy": "x"}]),
        ("/tag", b""),
        ("/get", saved()),
        ("images/json", [SUMMARY]),
        ("containers/json", [CONTAINER]),
        ("containers/", CONTAINER),
        ("images/", [{"Deleted": ID}] if asked.method == "DELETE" else IMAGE),
    ]
    return next(answer for part, answer in table if part in f"/{path}")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[random.Random | None], None]]:
    """Sets the chance by which answers are spoilt."""
    chance: list[random.Random | None] = [None]

    class Engine(Handler):
        def respond(self, asked: Asked) -> None:
            content = usual(asked)
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            reply = Reply(200, [("Content-Type", "application/json"), ("Api-Version", "1.41")], body)
            drawn = chance[0]
            if drawn is not None and drawn.random() < 0.3:
                reply = spoilt(reply, drawn)
                if drawn.random() < 0.2:
                    reply = reply._replace(status=drawn.choice((201, 204, 400, 404, 409, 500)))
            self.send(reply)

    def choose(one: random.Random | None) -> None:
        chance[0] = one

    with listening(Engine) as url:
        monkeypatch.setenv("DOCKER_HOST", url.replace("http://", "tcp://"))
        monkeypatch.setattr(docker_engine, "PING_TIMEOUT", 5)
        monkeypatch.setattr(docker_engine, "ENGINE_TIMEOUT", 5)
        yield choose


@pytest.fixture
def settings(image_folder: Callable[[dict[str, str]], Path]) -> Settings:
    folder = image_folder({"Dockerfile": "FROM scratch\nCOPY x /\n", "x": "y"})
    return Settings(name="captions", image=folder)


def everything(settings: Settings) -> list[Callable[[], object]]:
    tag = "0" * 20

    def connected(work: Callable[[Any], object]) -> Callable[[], object]:
        def run() -> object:
            with contextlib.closing(docker_engine.connect()) as engine, docker_engine.asking("it failed"):
                return work(engine)

        return run

    return [
        docker_engine.describe,
        docker_engine.host,
        connected(lambda engine: docker_image.build(engine, settings, tag, silent)),
        connected(lambda engine: docker_push.push(engine, settings, tag, "registry/captions", lambda: "QTpC", silent)),
        connected(lambda engine: docker_layers.unpacked(engine, f"captions:{tag}")),
        connected(lambda engine: docker_layers.measure(engine, f"captions:{tag}", settings.image)),
        connected(lambda engine: docker_stages.discard(engine, "captions", silent, settings.image)),
    ]


def test_as_an_engine_has_it(told: Callable[[random.Random | None], None], settings: Settings) -> None:
    told(None)
    described, host, built, pushed, size, layers, _ = (work() for work in everything(settings))
    assert isinstance(described, docker_engine.Engine)
    assert (described.version, bool(host), built, pushed, size) == ("28", True, ID, ID, 1000)
    assert layers


def test_as_no_engine_has_it(told: Callable[[random.Random | None], None], settings: Settings) -> None:
    sentences = 0
    for number in range(STEPS):
        chance = random.Random(number)  # noqa: S311 - no secret
        told(chance)
        for work in everything(settings):
            try:
                work()
            except EngineError as error:
                sentences += 1 if len(error.message) < 3000 else -STEPS
    assert sentences > STEPS
