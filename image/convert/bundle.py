"""A model file → a bundle in a folder, checked against the reference before anybody sees it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from captioner.bundle import AVX512, DECODER, ENCODER, FORMAT, MANIFEST, VOCABULARY, WEIGHTS, Bundle
from captioner.caption import load_model

from convert import parity, pictures, published
from convert.errors import ConvertError
from convert.place import check, place

if TYPE_CHECKING:
    from captioner.caption import Model
    from PIL import Image

SIDE = 256  # pixels, as published
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, per RGB channel
PICTURES = 32  # for the parity report, when there are none of the user's
CALIBRATION = 32  # pictures for int8's ranges

Runtime = Literal["onnx", "torch"]
Progress = Callable[[str, int, int], None]
"""Hears what is being done, and how much of how much; 0 of 0 when that is not known."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What kind of bundle: `quantize` None keeps float32, which alone is exact. Folders hold pictures."""

    runtime: Runtime = "onnx"
    quantize: Literal["int8"] | None = None
    calibration: Path | None = None
    pictures: Path | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.quantize and self.runtime != "onnx":
            raise ConvertError("only the ONNX runtime has int8", hint="Leave out --quantize or --runtime torch.")
        if self.calibration and not self.quantize:
            raise ConvertError("calibration pictures serve int8 only", hint="Add --quantize int8.")


def convert(file: Path, folder: Path, wishes: Wishes, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Writes the bundle of `file` into `folder` and returns its `model.json`.

    A folder that holds a bundle and nothing else is replaced, in one step; any other that is not empty is left
    alone. Raises `ConvertError`; `folder` is then as it was.
    """
    folder = folder.resolve()
    check(folder)
    own = pictures.from_folder(wishes.pictures) if wishes.pictures else pictures.synthetic(PICTURES)
    calibration = (
        pictures.from_folder(wishes.calibration)
        if wishes.calibration
        else pictures.synthetic(CALIBRATION, seed=1)
        if wishes.quantize
        else []
    )
    progress(f"reading {file.name}", 0, 0)
    source = published.load(file)
    manifest = _manifest(file, source, wishes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        draft = Path(temporary) / "bundle"
        draft.mkdir()
        _write_json(draft / VOCABULARY, list(source.words))
        bundle = _bundle(draft, source, manifest)
        if wishes.runtime == "torch":
            _write_weights(source, draft / WEIGHTS, progress)
        else:
            _write_graphs(source, bundle, calibration, progress)
        manifest["parity"] = _parity(source, bundle, own, exact=not wishes.quantize, progress=progress)
        _write_json(draft / MANIFEST, manifest)
        place(draft, folder)
    return manifest


def _manifest(file: Path, source: published.Published, wishes: Wishes) -> dict[str, Any]:
    layout = source.layout
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    depth = 3 * sum(layout.blocks) + 2
    suffix = f"-{wishes.quantize}" if wishes.quantize else ""
    return {
        "format": FORMAT,
        "name": wishes.name or f"resnet{depth}-attention{suffix}",
        "description": f"ResNet-{depth}, LSTM with soft attention, {layout.vocabulary} words (Xu et al. 2015).",
        "runtime": wishes.runtime,
        "optimized": True,
        "quantization": wishes.quantize,
        "image": {"height": SIDE, "width": SIDE, "resample": "bicubic", "mean": MEAN, "std": STD},
        "attention_grid": [_grid(), _grid()],
        "source": {"file": file.name, "bytes": file.stat().st_size, "sha256": digest},
        "sizes": asdict(layout),
    }


def _write_graphs(
    source: published.Published,
    bundle: Bundle,
    calibration: list[Image.Image],
    progress: Progress,
) -> None:
    from captioner.preprocess import tensor
    from captioner.processor import has_avx512

    from convert import decoder, encoder, int8
    from convert.blocked import blocked_decoder, blocked_encoder
    from convert.optimise import optimise, save

    progress("writing graphs", 0, 0)
    layout, grid = source.layout, _grid()
    weights = {name: value.numpy() for name, value in source.weights.items()}
    points = SIDE // encoder.STRIDE
    pool = encoder.pool_matrix(points, points, grid)
    encoding = encoder.build(weights, layout, SIDE, SIDE, grid)
    decoding = decoder.build(weights, layout, pool)
    if calibration:
        progress("quantizing to int8", 0, 0)
        encoding = int8.quantize_encoder(encoding, [tensor(picture, bundle) for picture in calibration])
        decoding = int8.quantize_decoder(decoding)
    progress("optimising graphs", 0, 0)
    for file, model, blocked in ((ENCODER, encoding, blocked_encoder), (DECODER, decoding, blocked_decoder)):
        optimised = optimise(model)
        # Only where it can be checked.
        fast = blocked(optimised) if has_avx512() else None
        save(optimised, bundle.folder / file)
        if fast:
            save(fast, bundle.folder / AVX512[file], sharing=optimised)


def _write_weights(source: published.Published, file: Path, progress: Progress) -> None:
    from safetensors.torch import save_file

    progress("writing weights", 0, 0)
    save_file(source.weights, file)
    file.chmod(0o666 & ~_umask())  # the library makes it readable for its owner alone


def _bundle(folder: Path, source: published.Published, manifest: dict[str, Any]) -> Bundle:
    image = manifest["image"]
    return Bundle(
        folder=folder,
        name=manifest["name"],
        description=manifest["description"],
        width=image["width"],
        height=image["height"],
        mean=tuple(image["mean"]),
        std=tuple(image["std"]),
        grid=(_grid(), _grid()),
        words=source.words,
        optimized=manifest["optimized"],
        runtime=manifest["runtime"],
    )


def _parity(
    source: published.Published,
    bundle: Bundle,
    images: list[Image.Image],
    *,
    exact: bool,
    progress: Progress,
) -> dict[str, object]:
    from captioner.torch_backend import TorchModel

    def counting(what: str) -> Callable[[int], None]:
        return lambda done: progress(f"captioning pictures with the {what}", done, len(images))

    expected = parity.captions(TorchModel(source.network()), bundle, images, progress=counting("reference"))
    reports = []
    for what, model in _models(bundle):
        found = parity.captions(model, bundle, images, progress=counting(what))
        report = parity.compare(expected, found, bundle.words)
        if exact and report.equal < report.pictures:
            one, other = report.differing[0]
            raise ConvertError(
                f"the {what} says other words than the model about {report.pictures - report.equal} of "
                f"{report.pictures} pictures: {other!r} instead of {one!r}",
                hint="No bundle was written. Please report it; until then, --runtime torch serves the model as it is.",
            )
        reports.append(report)
    return max(reports, key=lambda report: report.log_probability_max).data()


def _models(bundle: Bundle) -> Iterator[tuple[str, Model]]:
    """What the bundle may be served by, one after the other."""
    if bundle.runtime == "torch":
        yield "bundle", load_model(bundle)
        return
    from captioner.onnx_backend import OnnxModel

    yield "bundle", OnnxModel(bundle, avx512=False)
    if any((bundle.folder / file).is_file() for file in AVX512.values()):
        yield "bundle's form for AVX-512", OnnxModel(bundle, avx512=True)


def _grid() -> int:
    from captioner.torch_network import GRID

    return GRID


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
