"""A tiny bundle with random weights, the handler over it, and pictures of every kind."""

from __future__ import annotations

import base64
import importlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE, GRID, CHANNELS, PROJECTED, STATE = 32, 4, 8, 6, 5
WORDS = ["<pad>", "a", "dog", "cat", "on", "the", "grass", "red", "blue", "ball", "<unk>", "<start>", "<end>"]

Event = dict[str, Any]


def _graph(
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, list[int | str]]],
    outputs: dict[str, list[int | str]],
    weights: dict[str, np.ndarray[Any, Any]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs.items()],
        [numpy_helper.from_array(value, n) for n, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model, full_check=True)
    return model


def _encoder(rng: np.random.Generator) -> onnx.ModelProto:
    def weight(*shape: int) -> np.ndarray[Any, Any]:
        return rng.normal(size=shape).astype(np.float32)

    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["map"], strides=[SIDE // GRID] * 2),
        helper.make_node("Reshape", ["map", "flat"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["features"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["features", "w_projection"], ["projection"]),
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "w_hidden"], ["h"]),
        helper.make_node("MatMul", ["mean", "w_cell"], ["c"]),
        helper.make_node("Tanh", ["h"], ["hidden"]),
        helper.make_node("Tanh", ["c"], ["cell"]),
    ]
    points = GRID * GRID
    return _graph(
        "encoder",
        nodes,
        {"image": (TensorProto.FLOAT, [1, 3, SIDE, SIDE])},
        {
            "features": [1, points, CHANNELS],
            "projection": [1, points, PROJECTED],
            "hidden": [1, STATE],
            "cell": [1, STATE],
        },
        {
            "kernel": weight(CHANNELS, 3, SIDE // GRID, SIDE // GRID) * np.float32(0.1),
            "flat": np.array([1, CHANNELS, points], np.int64),
            "w_projection": weight(CHANNELS, PROJECTED),
            "w_hidden": weight(CHANNELS, STATE),
            "w_cell": weight(CHANNELS, STATE),
        },
    )


def _decoder(rng: np.random.Generator) -> onnx.ModelProto:
    def weight(*shape: int) -> np.ndarray[Any, Any]:
        return rng.normal(size=shape).astype(np.float32)

    nodes = [
        helper.make_node("MatMul", ["hidden", "w_query"], ["query"]),  # [k, A]
        helper.make_node("Unsqueeze", ["query", "one"], ["query1"]),  # [k, 1, A]
        helper.make_node("Mul", ["projection", "query1"], ["match"]),  # [k, P, A]
        helper.make_node("ReduceSum", ["match", "two"], ["energy"], keepdims=0),  # [k, P]
        helper.make_node("Softmax", ["energy"], ["attention"], axis=1),
        helper.make_node("MatMul", ["attention", "features"], ["context1"]),  # [1, k, C]
        helper.make_node("Squeeze", ["context1", "zero"], ["context"]),
        helper.make_node("Gather", ["embedding", "word"], ["embedded"]),
        helper.make_node("Concat", ["embedded", "context", "hidden"], ["input"], axis=1),
        helper.make_node("MatMul", ["input", "w_cell"], ["candidate"]),
        helper.make_node("Add", ["candidate", "cell"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["cell_next"]),
        helper.make_node("Sin", ["cell_next"], ["hidden_next"]),
        helper.make_node("MatMul", ["hidden_next", "w_words"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["log_probabilities"], axis=1),
    ]
    points = GRID * GRID
    return _graph(
        "decoder",
        nodes,
        {
            "word": (TensorProto.INT64, ["k"]),
            "hidden": (TensorProto.FLOAT, ["k", STATE]),
            "cell": (TensorProto.FLOAT, ["k", STATE]),
            "features": (TensorProto.FLOAT, [1, points, CHANNELS]),
            "projection": (TensorProto.FLOAT, [1, points, PROJECTED]),
        },
        {
            "log_probabilities": ["k", len(WORDS)],
            "attention": ["k", points],
            "hidden_next": ["k", STATE],
            "cell_next": ["k", STATE],
        },
        {
            "w_query": weight(STATE, PROJECTED),
            "zero": np.array([0], np.int64),
            "one": np.array([1], np.int64),
            "two": np.array([2], np.int64),
            "embedding": weight(len(WORDS), STATE),
            "w_cell": weight(2 * STATE + CHANNELS, STATE),
            "w_words": weight(STATE, len(WORDS)) * np.float32(2),
        },
    )


def write_bundle(folder: Path) -> Path:
    """A bundle of a few kB in the published model's form."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_encoder(rng), folder / "encoder.onnx")
    onnx.save(_decoder(rng), folder / "decoder.onnx")
    (folder / "vocabulary.json").write_text(json.dumps(WORDS), encoding="utf-8")
    manifest = {
        "format": 1,
        "name": "tiny",
        "description": "random weights",
        "image": {
            "height": SIDE,
            "width": SIDE,
            "resample": "bicubic",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "attention_grid": [GRID, GRID],
    }
    (folder / "model.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def own_bundle(tmp_path: Path) -> Path:
    """A bundle that a test may spoil."""
    return write_bundle(tmp_path / "bundle")


@pytest.fixture(scope="session")
def handler(bundle_folder: Path) -> ModuleType:
    """The handler's module, imported as Lambda does it, over the tiny bundle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_DIR", str(bundle_folder))
        return importlib.import_module("handler")


@pytest.fixture(scope="session")
def scene() -> Image.Image:
    """A picture without any symmetry, 48 × 32, made of flat fields so that every format keeps it."""
    image = Image.new("RGB", (48, 32), (240, 240, 240))
    image.paste((200, 30, 30), (0, 0, 24, 16))
    image.paste((30, 160, 60), (24, 0, 48, 8))
    image.paste((30, 60, 200), (40, 8, 48, 32))
    image.paste((250, 220, 40), (0, 24, 8, 32))
    return image


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """A picture → the bytes of its file."""

    def save(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:  # noqa: A002, ANN401
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return save


@pytest.fixture(scope="session")
def post() -> Callable[..., Event]:
    """A body → the event that API Gateway makes of it."""

    def event(body: bytes | str, content_type: str | None = "image/jpeg", **query: str) -> Event:
        binary = isinstance(body, bytes)
        headers = {} if content_type is None else {"content-type": content_type}
        return {
            "resource": "/",
            "path": "/",
            "httpMethod": "POST",
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": {n: [v] for n, v in query.items()} or None,
            "requestContext": {"httpMethod": "POST"},
            "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
            "isBase64Encoded": binary,
        }

    return event
