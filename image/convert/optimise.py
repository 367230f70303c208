"""From a graph to a file that loads fast.

ONNX Runtime optimises a graph whenever it loads it, which takes longer than a caption. So it is done here, once,
and loaded as it is. Weights go to a file beside the graph: they are mapped there, not read, and pages that
nobody touches are never fetched.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto

ALIGNMENT = 4096  # bytes; a page, so that mapping is exact and every vector instruction finds its boundary
EXTERNAL = 1024  # bytes from which on a weight lies beside the graph


def optimise(model: ModelProto) -> ModelProto:
    """What ONNX Runtime makes of the graph at the level EXTENDED, and sums made part of convolutions.

    Not further: the next level lays weights out for the instruction set of the machine that it runs on, and
    Lambda's machines differ, x86_64 among themselves and from arm64. See `blocked` for one of them.
    """
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="lambdacap-") as folder:
        plain, optimised = Path(folder, "plain.onnx"), Path(folder, "optimised.onnx")
        onnx.save(model, plain)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimised)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
        found: ModelProto = onnx.load(optimised)
    _fuse_sums(found)
    used = {node.domain for node in found.graph.node}
    imports = [entry for entry in found.opset_import if entry.domain in used | {""}]
    del found.opset_import[:]
    found.opset_import.extend(sorted(imports, key=lambda entry: str(entry.domain)))
    return found


def _fuse_sums(model: ModelProto) -> None:
    """Makes Conv, Add and Relu one node, as ONNX Runtime's next level would: the sum goes over memory once."""
    from onnx import helper

    graph = model.graph
    makers = {node.output[0]: node for node in graph.node}
    readers = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    fused, gone = {}, set()
    for add in graph.node:
        after = readers[add.output[0]]
        if add.op_type != "Add" or [node.op_type for node in after] != ["Relu"]:
            continue
        for value, other in (add.input, add.input[::-1]):
            convolution = makers.get(value)
            if convolution and convolution.op_type == "Conv" and len(readers[value]) == 1:
                node = helper.make_node(
                    "FusedConv",
                    [*convolution.input, other],
                    after[0].output,
                    convolution.name,
                    domain="com.microsoft",
                    activation="Relu",
                )
                node.attribute.extend(convolution.attribute)
                fused[add.output[0]] = node
                gone |= {value, after[0].output[0]}
                break
    nodes = [fused.get(node.output[0], node) for node in graph.node if node.output[0] not in gone]
    del graph.node[:]
    graph.node.extend(nodes)


def save(model: ModelProto, file: Path, sharing: ModelProto | None = None) -> None:
    """Writes `model` as `file`, with its weights in `<file>.data` beside it.

    But for those that it has in common with `sharing`, a model that was saved before: they lie beside that.
    """
    from onnx import TensorProto, external_data_helper

    shared = {tensor.name: tensor for tensor in sharing.graph.initializer} if sharing else {}
    for tensor in model.graph.initializer:
        if tensor.name in shared:
            tensor.CopyFrom(shared[tensor.name])
    data = file.with_name(file.name + ".data")
    with data.open("wb") as stream:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) < EXTERNAL:
                continue
            stream.write(b"\0" * (-stream.tell() % ALIGNMENT))
            external_data_helper.set_external_data(tensor, data.name, stream.tell(), len(tensor.raw_data))
            stream.write(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
    file.write_bytes(model.SerializeToString(deterministic=True))
