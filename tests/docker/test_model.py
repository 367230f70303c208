"""A `model.pickle` in the context, and bundles for PyTorch: what needs torch while the image is built, or in it.

The wheels of torch come from where pip of this machine finds them, which containers may not see.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest
from captioner.bundle import AVX512, DECODER, ENCODER
from captioner.processor import has_avx512

from tests.command import Command
from tests.docker.test_image import SOURCE, api_event, build, inside, invoke, layers, photo, running
from tests.published import files

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

JSON = ("model.json", "vocabulary.json")
INSTALLED = """
import importlib.util, json, os, pathlib
names = ("torch", "torchvision", "onnx", "onnxruntime", "convert")
print(json.dumps({
    "modules": [name for name in names if importlib.util.find_spec(name)],
    "model": sorted(path.name for path in pathlib.Path(os.environ["LAMBDA_TASK_ROOT"], "model").iterdir()),
    "left": [path for path in ("/convert", "/wheels", "/demo", "/runtime") if os.path.exists(path)],
}))
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files.make("small", tmp_path_factory.mktemp("published") / "model.pickle")


@pytest.fixture(scope="module")
def bundle(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model for PyTorch, made on this machine."""
    folder = tmp_path_factory.mktemp("torch") / "bundle"
    files.run("convert", published, "-o", folder, "--runtime", "torch")
    return folder


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `image/` with the CPU build of torch in `wheels/`."""
    ignored = shutil.ignore_patterns(".*_cache", "__pycache__")
    copy = Path(shutil.copytree(SOURCE, tmp_path_factory.mktemp("context") / "image", ignore=ignored))
    pins = (SOURCE / "requirements-torch.txt").read_text("utf-8").splitlines()
    torch = next(pin for pin in pins if pin.startswith("torch=="))
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(copy / "wheels"), torch]
    subprocess.run(command, check=True)
    return copy


def said(engine: docker.DockerClient, image: str) -> Any:  # noqa: ANN401 - any JSON
    """What a container of `image`, run as Lambda runs it, answers to a photo."""
    options: dict[str, Any] = {"read_only": True, "user": "1234:1234", "tmpfs": {"/tmp": ""}}  # noqa: S108
    with running(engine, image, **options) as container:
        answer = invoke(container, api_event("POST", photo()))
        assert answer["statusCode"] == 200, (answer, container.logs().decode())
    return json.loads(answer["body"])


def test_torch_prepares_the_model_or_serves_it(
    engine: docker.DockerClient,
    base_image: str,
    image: str,
    context: Path,
    published: Path,
    bundle: Path,
    with_engine: Command,
) -> None:
    """One test, since torch's layers are heavy: what the engine has of them serves all of it."""
    # As people built it before there was a converter: the pickle in the folder, and `docker build`.
    shutil.copy(published, context / "model.pickle")
    converted = build(engine, context, base_image)
    found = inside(engine, converted, INSTALLED)
    assert (found["modules"], found["left"]) == (["onnxruntime"], [])
    graphs = [ENCODER, DECODER, *(AVX512.values() if has_avx512() else ())]
    assert found["model"] == sorted([*graphs, *(f"{graph}.data" for graph in graphs), *JSON])
    # All but the model is as with any other model.
    assert layers(engine, converted)[:-2] == layers(engine, image)[:-2]
    assert layers(engine, converted)[-1] == layers(engine, image)[-1]

    # The same pickle for plain PyTorch, and a bundle for it that comes from elsewhere.
    plain = build(engine, context, base_image, arguments={"CONVERT": "--runtime=torch"})
    found = inside(engine, plain, INSTALLED)
    assert (found["modules"], found["left"]) == (["torch", "torchvision"], [])
    assert found["model"] == [*JSON, "weights.safetensors"]
    command = replace(with_engine, seconds=600)
    named = command("build", "--image", context, "--weights", bundle, "--json").data["image"]
    assert layers(engine, named)[:-2] == layers(engine, plain)[:-2]

    answers = [said(engine, one) for one in (converted, plain, named)]
    assert len({answer["caption"] for answer in answers}) == 1
    assert answers[0]["caption"]
