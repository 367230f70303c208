"""Conversion of a small model: the same captions as the published code, from both backends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from captioner.beam import search
from captioner.bundle import AVX512, DECODER, ENCODER, Bundle
from captioner.caption import load_model
from captioner.onnx_backend import DECODER_OUTPUTS, ENCODER_OUTPUTS, OnnxModel, graph_file
from captioner.preprocess import tensor
from captioner.processor import has_avx512
from convert import encoder
from convert.__main__ import main
from convert.pictures import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.published import files

PICTURES = 6
BEAMS = (1, 2, 3, 5, 10)


def said(folder: Path, picture: Image.Image, beam: int) -> tuple[list[int], float, np.ndarray[Any, Any]]:
    bundle = Bundle.load(folder)
    decoder = load_model(bundle).encode(tensor(picture, bundle))
    found = search(decoder, start=bundle.start, end=bundle.end, beam=beam)
    return found.words, found.log_probability, np.array(found.attention)


@pytest.fixture(scope="module")
def plain(published: Path) -> list[dict[str, Any]]:
    return files.say(published, PICTURES, *BEAMS)


@pytest.mark.parametrize("kind", ["onnx_bundle", "torch_bundle"])
def test_every_caption_is_the_published_codes(
    kind: str, plain: list[dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(kind)
    words = Bundle.load(folder).words
    assert len({" ".join(one["words"]) for one in plain}) >= 3
    lines = iter(plain)
    for picture in synthetic(PICTURES):
        for beam in BEAMS:
            expected = next(lines)
            found, log_probability, attention = said(folder, picture, beam)
            assert [words[i] for i in found if not words[i].startswith("<")] == expected["words"]
            assert log_probability == pytest.approx(expected["log_probability"], abs=2e-4)
            np.testing.assert_allclose(attention[: len(expected["attention"])], expected["attention"], atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), beam=st.integers(1, 10))
def test_both_backends_say_the_same(onnx_bundle: Path, torch_bundle: Path, seed: int, beam: int) -> None:
    (picture,) = synthetic(1, seed=seed)
    one, other = said(onnx_bundle, picture, beam), said(torch_bundle, picture, beam)
    assert one[0] == other[0]
    assert one[1] == pytest.approx(other[1], abs=2e-4)
    np.testing.assert_allclose(one[2], other[2], atol=1e-4)


def test_the_report_and_the_sizes(onnx_bundle: Path, published: Path) -> None:
    manifest = json.loads((onnx_bundle / "model.json").read_text())
    assert manifest["format"] == 1
    assert manifest["optimized"] is True
    assert manifest["source"]["bytes"] == published.stat().st_size
    sizes = manifest["sizes"]
    assert (sizes["blocks"], sizes["width_per_group"], sizes["groups"]) == ([1, 2, 1, 1], 16, 1)
    assert (sizes["attention"], sizes["embedding"], sizes["hidden"], sizes["vocabulary"]) == (24, 25, 26, 60)
    parity = manifest["parity"]
    assert parity["equal_captions"] == parity["pictures"] == 32
    assert parity["distinct_captions"] > 3
    assert parity["log_probability_difference"]["max"] < 1e-3


def test_the_graphs_run_on_every_processor(onnx_bundle: Path) -> None:
    for name in (ENCODER, DECODER):
        file = onnx_bundle / name
        model = onnx.load(file, load_external_data=False)
        assert {node.domain for node in model.graph.node} <= {"", "com.microsoft"}
        assert {entry.domain for entry in model.opset_import} <= {"", "com.microsoft"}
        assert file.stat().st_size < 100_000  # weights lie beside it


@pytest.mark.parametrize("file", [ENCODER, DECODER])
def test_a_form_for_avx512_stands_beside_where_it_can_be_checked(file: str, onnx_bundle: Path) -> None:
    bundle = Bundle.load(onnx_bundle)
    assert (onnx_bundle / AVX512[file]).is_file() == has_avx512()
    assert graph_file(bundle, file, avx512=False) == file
    assert graph_file(bundle, file, avx512=True) == (AVX512[file] if has_avx512() else file)


@pytest.mark.skipif(not has_avx512(), reason="this processor has no AVX-512")
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        # The first convolution, then one and two bottlenecks of three, each first one with a fourth on the way around.
        (ENCODER, {"Conv": 1 + 4 + 7, "MaxPool": 1, "ReorderOutput": 1}),
        # Query and gate, the LSTM, and the words.
        (DECODER, {"Conv": 3}),
    ],
)
def test_what_the_form_for_avx512_holds_in_blocks(file: str, expected: dict[str, int], onnx_bundle: Path) -> None:
    graph = onnx.load(onnx_bundle / AVX512[file], load_external_data=False).graph
    assert Counter(node.op_type for node in graph.node if node.domain.endswith("nchwc")) == expected
    # Weights that are the same lie in one place.
    places = {e.value for tensor in graph.initializer for e in tensor.external_data if e.key == "location"}
    assert places == {f"{file}.data", f"{AVX512[file]}.data"}


@pytest.mark.skipif(not has_avx512(), reason="this processor has no AVX-512")
@pytest.mark.parametrize("beams", [1, 3, 10])
def test_the_form_for_avx512_computes_the_same(beams: int, onnx_bundle: Path) -> None:
    """No size of the small model's decoder is a whole number of blocks."""
    bundle = Bundle.load(onnx_bundle)
    plain, fast = (OnnxModel(bundle, avx512=avx512) for avx512 in (False, True))
    image = tensor(synthetic(1)[0], bundle)
    run = [model.encoder.run(ENCODER_OUTPUTS, {"image": image}) for model in (plain, fast)]
    for one, other in zip(*run, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    features, projection, hidden, cell = run[0]
    assert hidden.shape[1] % 16
    chance = np.random.default_rng(0)
    inputs = {
        "word": chance.integers(len(bundle.words), size=beams),
        "hidden": chance.normal(hidden, size=(beams, hidden.shape[1])).astype(np.float32),
        "cell": chance.normal(cell, size=(beams, cell.shape[1])).astype(np.float32),
        "features": features,
        "projection": projection,
    }
    for one, other in zip(*(model.decoder.run(DECODER_OUTPUTS, inputs) for model in (plain, fast)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_sum_is_part_of_its_convolution(onnx_bundle: Path) -> None:
    nodes = onnx.load(onnx_bundle / ENCODER, load_external_data=False).graph.node
    assert Counter(node.op_type for node in nodes if node.op_type in ("Add", "Relu", "FusedConv")) == {"FusedConv": 16}
    assert sum(len(node.input) == 4 for node in nodes) == 5


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse avx2 avx512f avx512bw\n", True),
        ("processor\t: 0\nflags\t\t: fpu sse avx2\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False),
        (None, False),
    ],
)
def test_the_processor_says_what_it_has(text: str | None, has: bool, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert has_avx512(tmp_path / "cpuinfo") is has


def test_weights_lie_on_pages(onnx_bundle: Path) -> None:
    for file in onnx_bundle.glob("*.onnx"):
        model = onnx.load(file, load_external_data=False)
        places = [{e.key: e.value for e in t.external_data} for t in model.graph.initializer if t.external_data]
        assert places
        assert all(int(place["offset"]) % 4096 == 0 for place in places)


def test_converting_again_gives_the_same_bytes(onnx_bundle: Path, published: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    files.run("convert", published, "-o", again)
    assert sorted(f.name for f in again.iterdir()) == sorted(f.name for f in onnx_bundle.iterdir())
    for file in again.iterdir():
        if file.suffix in (".onnx", ".data") or file.name == "vocabulary.json":
            assert file.read_bytes() == (onnx_bundle / file.name).read_bytes(), file.name


def test_a_bundle_needs_no_torch(onnx_bundle: Path) -> None:
    code = (
        "import sys, captioner; from pathlib import Path; from PIL import Image;"
        f"captioner.setup(Path({str(onnx_bundle)!r})); captioner.predict(Image.new('RGB', (64, 64)));"
        "heavy = {'torch', 'torchvision', 'onnx', 'scipy', 'pandas', 'sympy', 'safetensors', 'convert'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    environment = {"PYTHONPATH": str(files.ROOT / "image")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_int8_has_a_report_of_its_own(published: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index, picture in enumerate(synthetic(4, seed=5)):
        picture.save(pictures / f"{index}.jpg")
    folder = tmp_path / "bundle"
    files.run("convert", published, "-o", folder, "--quantize", "int8", "--calibration", pictures)
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["quantization"] == "int8"
    assert manifest["name"].endswith("-int8")
    assert manifest["parity"]["equal_captions"] >= 16
    assert 0 < manifest["parity"]["log_probability_difference"]["mean"] < 2
    assert sum(f.stat().st_size for f in folder.iterdir()) < published.stat().st_size / 3
    words, *_ = said(folder, synthetic(1)[0], 3)
    assert words


def test_the_pool_is_torchs() -> None:
    import torch

    for rows, columns in ((8, 8), (7, 9), (14, 14), (1, 3)):
        points = torch.eye(rows * columns).reshape(rows * columns, 1, rows, columns)
        expected = torch.nn.AdaptiveAvgPool2d((14, 14))(points).flatten(1).T.numpy()
        np.testing.assert_allclose(encoder.pool_matrix(rows, columns, 14), expected, atol=1e-7)


def test_a_failed_conversion_leaves_everything_as_it_was(
    tmp_path: Path, onnx_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "model.pickle"
    bad.write_bytes(b"\x80\x04nothing")
    folder = tmp_path / "bundle"
    shutil.copytree(onnx_bundle, folder)
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    assert main([str(bad), "-o", str(folder)]) == 1
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "model.pickle"]
    captured = capsys.readouterr()
    assert "error: " in captured.err
    assert "Traceback" not in captured.err


def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert main([str(published), "-o", str(tmp_path), "--json"]) == 1
    assert "is no model bundle" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quantize", "int8", "--runtime", "torch"], "only the ONNX runtime has int8"),
        (["--calibration", "."], "calibration pictures serve int8 only"),
        (["--pictures", "/nowhere"], "is no folder"),
    ],
)
def test_wishes_that_do_not_go_together(
    arguments: list[str], message: str, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(published), "-o", str(tmp_path / "bundle"), *arguments]) == 1
    assert message in capsys.readouterr().err
