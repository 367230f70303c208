"""`image/` built by a real engine, and run under AWS's own runtime emulator as Lambda runs it."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container
from PIL import Image, ImageDraw

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

SOURCE = Path(__file__).parent.parent.parent / "image"
MEGABYTE = 1_000_000


def photo() -> bytes:
    """A JPEG with something on it."""
    image = Image.new("RGB", (320, 240), "lightblue")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 160, 320, 240), fill="green")
    draw.ellipse((110, 90, 210, 190), fill="red")
    stream = io.BytesIO()
    image.save(stream, "JPEG")
    return stream.getvalue()


def api_event(method: str, body: bytes = b"") -> dict[str, object]:
    """What API Gateway sends to the function."""
    return {
        "httpMethod": method,
        "path": "/",
        "headers": {"Content-Type": "image/jpeg"},
        "queryStringParameters": None,
        "body": base64.b64encode(body).decode() or None,
        "isBase64Encoded": bool(body),
    }


@contextmanager
def running(engine: docker.DockerClient, image: str, **options: Any) -> Iterator[Container]:  # noqa: ANN401
    """A container of `image` with the emulator's port on 127.0.0.1."""
    container = engine.containers.run(image, detach=True, ports={"8080/tcp": ("127.0.0.1", 0)}, **options)
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def invoke(container: Container, event: object, seconds: float = 60) -> Any:  # noqa: ANN401 - any JSON
    """The function's answer. The port takes connections before the emulator does: waits for it."""
    deadline = time.monotonic() + seconds
    while True:
        container.reload()
        log = container.logs().decode()
        assert container.status == "running", log
        try:
            (binding,) = container.ports["8080/tcp"] or []
            url = f"http://127.0.0.1:{binding['HostPort']}/2015-03-31/functions/function/invocations"
            return requests.post(url, json=event, timeout=seconds).json()
        except (requests.ConnectionError, KeyError, ValueError):
            assert time.monotonic() < deadline, log
            time.sleep(0.05)


def inside(engine: docker.DockerClient, image: str, code: str) -> Any:  # noqa: ANN401 - any JSON
    """What `code` prints as JSON, run by the Python of `image`."""
    output = engine.containers.run(image, entrypoint=["python3", "-c", code], remove=True, network_mode="none")
    return json.loads(output)


def layers(engine: docker.DockerClient, image: str) -> list[str]:
    """The digests of its uncompressed layers, the base's first."""
    found: list[str] = engine.images.get(image).attrs["RootFS"]["Layers"]
    return found


def build(
    engine: docker.DockerClient,
    folder: Path,
    base_image: str,
    *,
    arguments: Mapping[str, str] = MappingProxyType({}),
    **options: Any,  # noqa: ANN401
) -> str:
    """The id of `folder` built on the base image."""
    arguments = {"BASE_IMAGE": base_image, **arguments}
    built, _ = engine.images.build(path=str(folder), buildargs=arguments, rm=True, forcerm=True, **options)
    return str(built.id)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A copy of `image/` to change, with other times and modes than the original has."""
    ignored = shutil.ignore_patterns(".*_cache", "__pycache__")
    copy = Path(shutil.copytree(SOURCE, tmp_path / "image", ignore=ignored, copy_function=shutil.copyfile))
    for path in copy.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700 if path.is_dir() else 0o600)
    return copy


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as root"),
        # Lambda's own way: nothing can be written but /tmp, and nobody knows the user.
        pytest.param({"read_only": True, "user": "1234:1234", "tmpfs": {"/tmp": ""}}, id="as Lambda"),  # noqa: S108
    ],
)
def test_the_container_says_what_the_handler_says(
    engine: docker.DockerClient, image: str, options: dict[str, Any]
) -> None:
    event = api_event("POST", photo())
    with running(engine, image, **options) as container:
        answer = invoke(container, event)
        page = invoke(container, api_event("GET"))
        log = container.logs().decode()
    assert answer["statusCode"] == 200, (answer, log)
    code = "import json, sys; from handler import handler; print(json.dumps(handler(json.load(sys.stdin))))"
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(event), cwd=SOURCE, capture_output=True, text=True, check=True
    )
    here = json.loads(done.stdout.splitlines()[-1])
    assert json.loads(answer["body"])["caption"] == json.loads(here["body"])["caption"] != ""
    assert page["statusCode"] == 200
    assert page["body"].lstrip().lower().startswith("<!doctype html")
    assert "Traceback" not in log


def test_nothing_of_the_build_remains(engine: docker.DockerClient, image: str, base_image: str) -> None:
    code = """
import importlib.util, json, os, pathlib
root = pathlib.Path(os.environ["LAMBDA_TASK_ROOT"])
print(json.dumps({
    "torch": [name for name in ("torch", "torchvision") if importlib.util.find_spec(name)],
    "paths": [path for path in ("/wheels", "/out", "/freeze.py", "/root/.cache") if os.path.exists(path)],
    "names": [str(path) for path in root.rglob("*") if path.name in ("tests", "demo", ".git", "Dockerfile")],
    "home": os.environ["HOME"],
}))
"""
    assert inside(engine, image, code) == {"torch": [], "paths": [], "names": [], "home": "/tmp"}  # noqa: S108
    base = len(layers(engine, base_image))
    assert layers(engine, image)[:base] == layers(engine, base_image)


def test_every_module_is_compiled_for_good(engine: docker.DockerClient, image: str) -> None:
    """Flags 1: hash-based and unchecked, so that no start looks at the source, nor at its time."""
    code = """
import importlib.util, json, os, pathlib
flags = {}
for source in pathlib.Path(os.environ["LAMBDA_TASK_ROOT"]).rglob("*.py"):
    compiled = pathlib.Path(importlib.util.cache_from_source(source))
    flag = int.from_bytes(compiled.read_bytes()[4:8], "little") if compiled.exists() else None
    flags.setdefault(str(flag), []).append(str(source))
print(json.dumps({flag: files[:5] for flag, files in flags.items()}))
"""
    assert set(inside(engine, image, code)) == {"1"}


def test_sizes(engine: docker.DockerClient, image: str, base_image: str) -> None:
    """Prints what each layer over the base takes. The limit leaves room for the full-size model: 252 MB."""
    print()
    for step in engine.images.get(image).history():
        if step["Size"] and "COPY" in step["CreatedBy"]:
            print(f"{step['Size'] / MEGABYTE:8.2f} MB  {step['CreatedBy'][-60:]}")
    whole, base = (int(engine.images.get(name).attrs["Size"]) for name in (image, base_image))
    print(f"{(whole - base) / MEGABYTE:8.2f} MB over the base, which has {base / MEGABYTE:.0f} MB")
    model = sum(path.stat().st_size for path in (SOURCE / "demo" / "bundle").iterdir())
    assert whole - base - model < (450 - 252) * MEGABYTE


def test_equal_inputs_give_equal_layers(
    engine: docker.DockerClient, image: str, base_image: str, context: Path
) -> None:
    assert layers(engine, build(engine, context, base_image, nocache=True)) == layers(engine, image)


def test_a_change_of_code_is_a_layer_of_kilobytes(
    engine: docker.DockerClient, image: str, base_image: str, context: Path
) -> None:
    with (context / "handler.py").open("a") as source:
        source.write("# changed\n")
    changed = build(engine, context, base_image)
    assert layers(engine, changed)[:-1] == layers(engine, image)[:-1]
    assert layers(engine, changed)[-1] != layers(engine, image)[-1]
    sizes = [step["Size"] for step in engine.images.get(changed).history() if "COPY" in step["CreatedBy"]]
    assert sizes[0] < MEGABYTE


def test_wheels_in_the_context_are_enough(engine: docker.DockerClient, base_image: str, context: Path) -> None:
    """A build without any network."""
    (context / "wheels").mkdir()
    engine.containers.run(
        base_image,
        entrypoint=["pip", "download", "-q", "-r", "/context/requirements.txt", "-d", "/context/wheels"],
        volumes={str(context): {"bind": "/context", "mode": "rw"}},
        remove=True,
    )
    built = build(engine, context, base_image, network_mode="none")
    assert inside(engine, built, "import json, onnxruntime, PIL; print(json.dumps(onnxruntime.__version__))")
