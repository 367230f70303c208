"""What a bundle must be, and what is said of one that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from captioner.bundle import Bundle, BundleError
from captioner.onnx_backend import OnnxModel
from captioner.threads import threads


def change(folder: Path, **fields: Any) -> None:  # noqa: ANN401
    file = folder / "model.json"
    manifest = json.loads(file.read_text(encoding="utf-8")) | fields
    file.write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}), encoding="utf-8")


def image(**fields: object) -> dict[str, object]:
    plain = {"height": 32, "width": 32, "resample": "bicubic", "mean": [0, 0, 0], "std": [1, 1, 1]}
    return plain | fields


def test_reads_what_the_files_say(bundle_folder: Path) -> None:
    bundle = Bundle.load(bundle_folder)
    assert (bundle.name, bundle.width, bundle.height, bundle.grid) == ("tiny", 32, 32, (4, 4))
    assert bundle.words[bundle.start] == "<start>"
    assert bundle.words[bundle.end] == "<end>"
    assert bundle.mean == (0.485, 0.456, 0.406)
    assert not bundle.optimized


@pytest.mark.parametrize("file", ["model.json", "vocabulary.json", "encoder.onnx", "decoder.onnx"])
def test_a_missing_file_is_named(own_bundle: Path, file: str) -> None:
    (own_bundle / file).unlink()
    with pytest.raises(BundleError, match=f"{file} is missing"):
        Bundle.load(own_bundle)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere is not a folder"):
        Bundle.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": 2}, "format 2, not 1"),
        ({"format": None}, "format None, not 1"),
        ({"name": None}, "lacks 'name'"),
        ({"runtime": "tflite"}, r"model\.json: runtime .tflite. is not known, only onnx"),
        ({"image": None}, "lacks 'image'"),
        ({"image": []}, "model.json: list indices"),
        ({"image": image(resample="nearest")}, "'nearest' is not known"),
        ({"image": image(width=0)}, "0 is not a size"),
        ({"image": image(height=25.5)}, "25.5 is not a size"),
        ({"image": image(mean=[0.5])}, "not enough values"),
        ({"image": image(std=[1, 0, 1])}, "not above 0"),
        ({"attention_grid": [4]}, "not enough values"),
        ({"attention_grid": [True, 4]}, "True is not a size"),
    ],
)
def test_a_wrong_manifest_is_explained(own_bundle: Path, fields: dict[str, Any], message: str) -> None:
    change(own_bundle, **fields)
    with pytest.raises(BundleError, match=message):
        Bundle.load(own_bundle)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "no JSON list of words"),
        ('["<pad>", 3]', "no JSON list of words"),
        ('["<pad>", "a", "a"]', "a word twice"),
        ('["<pad>", "<unk>", "<end>"]', "lacks <start>"),
        ('["a", "<pad>", "<unk>", "<start>", "<end>"]', "begins with 'a'"),
        ("[", "is not JSON"),
    ],
)
def test_a_wrong_vocabulary_is_explained(own_bundle: Path, text: str, message: str) -> None:
    (own_bundle / "vocabulary.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=message):
        Bundle.load(own_bundle)


def test_graphs_of_another_model_are_found_at_the_start(own_bundle: Path) -> None:
    words = json.loads((own_bundle / "vocabulary.json").read_text(encoding="utf-8"))
    (own_bundle / "vocabulary.json").write_text(json.dumps([*words[:3], "extra", *words[3:]]), encoding="utf-8")
    with pytest.raises(BundleError, match=r"decoder.onnx has 13 words, the bundle says 14"):
        OnnxModel(Bundle.load(own_bundle))


def test_a_grid_that_does_not_fit_is_found_at_the_start(own_bundle: Path) -> None:
    change(own_bundle, attention_grid=[4, 5])
    with pytest.raises(BundleError, match="has 16 attention points, the bundle says 20"):
        OnnxModel(Bundle.load(own_bundle))


def test_a_file_that_is_no_graph_is_named(own_bundle: Path) -> None:
    (own_bundle / "encoder.onnx").write_bytes(b"\x00\x01")
    with pytest.raises(BundleError, match=r"encoder.onnx does not load"):
        OnnxModel(Bundle.load(own_bundle))


def test_graphs_that_were_swapped_are_found(own_bundle: Path) -> None:
    (own_bundle / "encoder.onnx").replace(own_bundle / "other")
    (own_bundle / "decoder.onnx").replace(own_bundle / "encoder.onnx")
    (own_bundle / "other").replace(own_bundle / "decoder.onnx")
    with pytest.raises(BundleError, match=r"encoder.onnx takes .*, expected \['image'\]"):
        OnnxModel(Bundle.load(own_bundle))


def test_an_output_that_is_missing_is_named(own_bundle: Path) -> None:
    model = onnx.load(own_bundle / "decoder.onnx")
    kept = [output for output in model.graph.output if output.name != "attention"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, own_bundle / "decoder.onnx")
    with pytest.raises(BundleError, match=r"decoder.onnx lacks the outputs \['attention'\]"):
        OnnxModel(Bundle.load(own_bundle))


@pytest.mark.parametrize(
    ("environ", "cpus", "expected"),
    [
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}, 2, 1),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}, 2, 1),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3008"}, 2, 2),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3538"}, 6, 2),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "10240"}, 6, 6),
        ({}, 1, 1),
        ({}, 2, 2),
        ({}, 64, 4),
        ({}, None, 1),
    ],
)
def test_threads_follow_the_memory_that_was_paid_for(environ: dict[str, str], cpus: int | None, expected: int) -> None:
    assert threads(environ, cpus) == expected
