"""8-bit weights and activations: a quarter of the bytes and a third of the time, at the cost of some words.

The encoder is quantised statically, its activations' ranges taken from calibration pictures; the decoder
dynamically, since its activations are few and its ranges depend on the sentence. Both by ONNX Runtime's own tools:
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from captioner.beam import Floats
    from onnx import ModelProto

SMALLEST = 1 << 14  # weights from which on a matrix of the decoder is worth the conversion


def quantize_encoder(model: ModelProto, images: Sequence[Floats]) -> ModelProto:
    """The encoder with 8-bit convolutions; `images` [1, 3, H, W] say how large its activations get."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Pictures(CalibrationDataReader):  # type: ignore[misc]  # the library is untyped
        def __init__(self) -> None:
            self.left = iter(images)

        def get_next(self) -> dict[str, Floats] | None:
            image = next(self.left, None)
            return None if image is None else {"image": image}

    with tempfile.TemporaryDirectory(prefix="lambdacap-") as folder, _quiet():
        plain, quantized = Path(folder, "plain.onnx"), Path(folder, "quantized.onnx")
        onnx.save(model, plain)
        quantize_static(
            plain,
            quantized,
            Pictures(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add", "MaxPool"],
            per_channel=True,
            # 7 bits for weights: two products of 8 bits each overflow the 16-bit sums of processors without VNNI,
            # and Lambda's machines differ. Captions should not.
            reduce_range=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
        )
        found: ModelProto = onnx.load(quantized)
    return found


def quantize_decoder(model: ModelProto) -> ModelProto:
    """The decoder with 8-bit weights in its large layers."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    large = {w.name for w in model.graph.initializer if len(w.dims) == 2 and w.dims[0] * w.dims[1] >= SMALLEST}
    large.discard("pool")
    excluded = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.input[1] not in large]
    with tempfile.TemporaryDirectory(prefix="lambdacap-") as folder, _quiet():
        plain, quantized = Path(folder, "plain.onnx"), Path(folder, "quantized.onnx")
        onnx.save(model, plain)
        quantize_dynamic(
            plain,
            quantized,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
        )
        found: ModelProto = onnx.load(quantized)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the tools' advice to run another tool first, which finds nothing to do in these graphs."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
