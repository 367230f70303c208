"""`push` to a registry as ECR is: TLS, a password that expires, connections that are cut."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from lambdacap.images.docker_context import content_tag
from lambdacap.images.docker_stages import LABEL
from lambdacap.local import cloud
from lambdacap.resources.manifest import INDEXES, MANIFESTS
from tests.command import Command, Result
from tests.docker.archive import archive
from tests.docker.conftest import unavailable
from tests.docker.registry import ACCOUNT, EXPIRED, HOST, PASSWORDS, REGION, Registry, ecr
from tests.docker.relay import relay

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
CREDENTIALS = {"username": "AWS-1", "password": "first"}
SIZE = 12_000_000
"""Bytes of the big layer: enough for the engine to send it in many pieces."""


@pytest.fixture(scope="module")
def registry(
    engine: docker.DockerClient, cloud_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    assert engine.ping()
    if shutil.which("docker-registry") is None:
        install = ["apt-get", "install", "-qy", "--no-install-recommends", "docker-registry"]
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        if subprocess.run(install, env=environ, capture_output=True).returncode:
            unavailable("there is no docker-registry, and apt-get could not install it")
    if subprocess.run([Path(__file__).with_name("engine"), "enter", "true"], capture_output=True).returncode:
        unavailable("the engine is not the one of tests/docker/engine, whose files a test may cover")
    with ecr(tmp_path_factory.mktemp("registry"), cloud.read_cloud(cloud_home).endpoint) as started:
        yield started


@pytest.fixture
def gate(registry: Registry) -> Registry:
    """The registry, with nothing counted and nothing in the way."""
    registry.sent = registry.uploads = registry.tokens = registry.cuts = 0
    registry.cut_after = registry.expire_after = None
    registry.expire_times = 1
    registry.expired.clear()
    return registry


@pytest.fixture
def aws(with_engine: Command, gate: Registry, cloud_home: Path) -> Command:
    """The command with credentials of an account whose registry is ours, and an image of two layers to push."""
    folder = with_engine.folder / "image"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY model.bin /\nCOPY handler.py /\n", "utf-8")
    (folder / "model.bin").write_bytes(os.urandom(SIZE))
    (folder / "handler.py").write_bytes(os.urandom(1000))
    credentials = {
        **cloud.variables(cloud.read_cloud(cloud_home)),
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_ENDPOINT_URL": gate.endpoint,
        "LAMBDACAP_IMAGE": str(folder),
        "LAMBDACAP_REGION": REGION,
    }
    return replace(with_engine, environ={**with_engine.environ, **credentials})


def image_uri(result: Result) -> str:
    uri: str = result.data["resources"]["image"]["uri"]
    return uri


def tag_of(result: Result) -> str:
    tag: str = result.data["resources"]["image"]["tag"]
    return tag


def test_the_image_arrives_and_is_named_by_its_digest(
    engine: docker.DockerClient, aws: Command, gate: Registry
) -> None:
    pushed = aws("push", "--json")
    name = aws.environ["LAMBDACAP_NAME"]
    there = gate.describe(name, tag_of(pushed))
    assert there is not None
    assert image_uri(pushed) == f"{HOST}/{name}@{there['imageDigest']}"
    assert there["imageManifestMediaType"] in MANIFESTS
    manifest = gate.manifest(name, there["imageDigest"]).json()
    kinds = {part["mediaType"].split(".")[1] for part in (manifest, manifest["config"], *manifest["layers"])}
    assert len(kinds) == 1, manifest
    assert gate.tokens == 1
    # Nobody has to tidy up: no second name in the engine, no password in the user's files.
    assert engine.images.get(f"{name}:{tag_of(pushed)}").tags == [f"{name}:{tag_of(pushed)}"]
    assert not (aws.folder / ".docker").exists()

    before = gate.sent
    again = aws("push", "--json")
    assert (again.data["changed"], gate.sent) == (False, before)


def test_layers_that_are_there_are_not_sent(aws: Command, gate: Registry) -> None:
    aws("push")
    assert gate.sent > SIZE
    gate.sent = 0
    (aws.folder / "image" / "handler.py").write_bytes(os.urandom(1000))
    changed = aws("push", "--debug")
    assert gate.sent < 10_000
    assert "pushed 2 of 2 layers, 1 were there already" in changed.stderr


def test_a_token_that_expires_in_mid_push_is_renewed(aws: Command, gate: Registry) -> None:
    gate.expire_after = SIZE // 2
    pushed = aws("push", "--json", "--debug")
    assert gate.describe(aws.environ["LAMBDACAP_NAME"], tag_of(pushed))
    assert gate.tokens == 2
    assert "the registry's token has expired: signing in anew" in pushed.stderr


def test_a_token_that_is_refused_at_once_is_renewed(aws: Command, gate: Registry) -> None:
    """The engine first asks whether a layer is there, with a HEAD, whose answer has no room for the reason."""
    first = next(iter(PASSWORDS))
    gate.expired.add(f"Basic {base64.b64encode(first.encode()).decode()}")
    pushed = aws("push", "--json", "--debug")
    assert gate.describe(aws.environ["LAMBDACAP_NAME"], tag_of(pushed))
    assert gate.tokens == 2


def test_a_token_is_renewed_once_only(aws: Command, gate: Registry, store: str) -> None:
    gate.expire_after, gate.expire_times = SIZE // 2, 1000  # containerd may try by itself with the same one
    failed = aws("push", code=1)
    assert gate.tokens == 2, failed.stderr
    assert (EXPIRED.rstrip(".") if store == "docker" else "403 Forbidden") in failed.stderr
    assert "Run the same command again" in failed.stderr


def test_a_push_cut_in_mid_layer_says_so_and_the_next_goes_on(
    engine: docker.DockerClient, aws: Command, gate: Registry, store: str
) -> None:
    """With Docker's own store the engine tries five times for most of a minute, and says nothing else meanwhile."""
    gate.cut_after = SIZE // 2
    failed = aws("push", "--debug", code=1)
    if store == "docker":
        assert gate.cuts == 5
        assert "Retrying in" in failed.stderr
    assert gate.cuts >= 1
    assert f"{HOST}/{aws.environ['LAMBDACAP_NAME']}:" in failed.stderr
    assert "could not be pushed" in failed.stderr
    assert "layers that arrived are not sent twice" in failed.stderr
    assert not any(tag.startswith(HOST) for image in engine.images.list() for tag in image.tags)

    gate.cut_after = None
    gate.sent = gate.uploads = 0
    resumed = aws("push", "--debug")
    assert "1 were there already" in resumed.stderr
    assert gate.sent > SIZE


def test_a_password_in_the_users_file_is_neither_used_nor_changed(aws: Command) -> None:
    config = aws.folder / ".docker" / "config.json"
    config.parent.mkdir()
    stored = json.dumps({"auths": {HOST: {"auth": "QVdTOndyb25n"}}})
    config.write_text(stored, "utf-8")
    # The stored one is wrong, and not asked: ECR's own goes along with the request.
    assert image_uri(aws("push", "--json")).startswith(HOST)
    assert config.read_text("utf-8") == stored


def test_an_image_for_another_architecture_is_not_pushed(
    engine: docker.DockerClient, base_image: str, aws: Command, gate: Registry
) -> None:
    name, folder = aws.environ["LAMBDACAP_NAME"], aws.folder / "image"
    tag = f"{name}:{content_tag(folder, 'arm64', base_image)}"
    engine.images.build(path=str(folder), tag=tag, labels={LABEL: name}, rm=True, forcerm=True)
    failed = aws("push", "--arch", "arm64", code=1)
    assert gate.sent == 0
    assert "the image is for linux/amd64, but the function needs linux/arm64" in failed.stderr


def test_what_somebody_else_left_under_our_tag_is_built_anew(
    engine: docker.DockerClient, base_image: str, aws: Command, gate: Registry, store: str
) -> None:
    """With containerd's store an index with an attestation, as BuildKit makes it: Lambda runs none."""
    name, folder = aws.environ["LAMBDACAP_NAME"], aws.folder / "image"
    tag = content_tag(folder, "x86_64", base_image)
    if store == "docker":
        engine.images.get(base_image).tag(name, tag)
    else:
        with archive(f"{name}:{tag}", {"lambdacap": ""}) as stream:
            engine.images.load(stream.read())
    left = engine.images.get(f"{name}:{tag}").id
    pushed = aws("push", "--json")
    assert engine.images.get(f"{name}:{tag}").id != left
    there = gate.describe(name, tag_of(pushed))
    assert there is not None
    assert there["imageManifestMediaType"] in MANIFESTS
    engine.images.remove(str(left)) if store != "docker" else None


def test_an_index_in_the_repository_is_made_a_single_image(
    engine: docker.DockerClient, base_image: str, aws: Command, gate: Registry, store: str
) -> None:
    if store == "docker":
        pytest.skip("Docker's own image store holds no index")
    name, folder = aws.environ["LAMBDACAP_NAME"], aws.folder / "image"
    aws("push")
    (folder / "handler.py").write_bytes(os.urandom(1000))
    tag = content_tag(folder, "x86_64", base_image)
    with archive(f"{HOST}/{name}:{tag}", {LABEL: name}) as stream:
        engine.images.load(stream.read())
    lines = engine.api.push(f"{HOST}/{name}", tag, stream=True, decode=True, auth_config=CREDENTIALS)
    assert not [line for line in lines if "error" in line]
    assert gate.describe(name, tag)["imageManifestMediaType"] in INDEXES  # type: ignore[index]
    digest = image_uri(aws("push", "--json")).rpartition("@")[2]
    there = gate.describe(name, tag)
    assert there is not None
    assert (there["imageDigest"], there["imageManifestMediaType"]) == (digest, MANIFESTS[1])
    assert gate.manifest(name, digest).json()["layers"]


def test_an_engine_that_dies_in_mid_push(aws: Command, engine_socket: str) -> None:
    with relay(engine_socket, "/push", until=b"Pushing") as dying:
        failed = replace(aws, environ={**aws.environ, "DOCKER_HOST": dying.host})("push", code=1)
    assert "could not be pushed: the Docker engine broke off" in failed.stderr
    assert image_uri(aws("push", "--json")).startswith(HOST)
