"""Both graphs laid out for AVX-512.

ONNX Runtime convolves faster where the channels of a point lie together, as many as one vector holds: 16 with
AVX-512. It lays a graph out so itself, but when it loads it, which takes longer than a caption; and weights laid out
ahead are no good on another processor, so that the bundle holds them twice.

Of the encoder only the first stages are: a quarter of the multiplications, and a thirtieth of the weights. Of the
decoder all large layers: in a Gemm, ONNX Runtime copies their weights into an order of its own whenever it loads them,
50 ms at full size; as convolutions in blocks they are mapped, and multiplied as they lie, with a beam for a point.

The operators and the order of their weights: `MlasReorderFilterOIHWBiBo` and `MlasReorderFilterOIHWBo` in
https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/reorder.cpp
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = np.ndarray[Any, Any]

BLOCK = 16  # channels
STAGES = ("0", "4", "5")  # of torchvision's ResNet as a Sequential: the first convolution, and two of four stages
DOMAIN = "com.microsoft.nchwc"


def blocked_encoder(encoder: ModelProto) -> ModelProto | None:
    """The optimised `encoder` with the convolutions of `STAGES` in blocks; None when none of them can be.

    What is between is named as before; weights in blocks are `<name>.blocked`, and their shapes are said as if they
    were not, which is how ONNX Runtime wants it.
    """
    model = ModelProto()
    model.CopyFrom(encoder)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    inside: dict[str, int] = {}  # value in blocks → its channels
    outside = set()  # of those, what has been laid out plainly again
    nodes = []
    for node in encoder.graph.node:
        if _convolves(node, weights, inside):
            kernel = weights[node.input[1]]
            inside[node.output[0]] = kernel.dims[0]
            values = [node.input[0], f"{kernel.name}.blocked", *node.input[2:]]
            nodes.append(_within(node, "Conv", values, inside))
            graph.initializer.append(_reorder(kernel))
            graph.initializer.remove(kernel)
        elif node.op_type == "MaxPool" and node.input[0] in inside:
            inside[node.output[0]] = inside[node.input[0]]
            nodes.append(_within(node, "MaxPool", list(node.input), inside))
        else:
            for name in node.input:
                if name in inside and name not in outside:
                    outside.add(name)
                    nodes.append(
                        helper.make_node(
                            "ReorderOutput", [f"{name}.blocked"], [name], domain=DOMAIN, channels=inside[name]
                        )
                    )
            nodes.append(node)
    if not inside:
        return None
    return _made_of(model, nodes)


def blocked_decoder(decoder: ModelProto) -> ModelProto | None:
    """The optimised `decoder` with its large layers as 1 × 1 convolutions in blocks; None when it has none."""
    model = ModelProto()
    model.CopyFrom(decoder)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in decoder.graph.node:
        if _is_layer(node, weights):
            weight, bias = (weights[name] for name in node.input[1:])
            nodes += _layer(model.graph, node, numpy_helper.to_array(weight), numpy_helper.to_array(bias))
            model.graph.initializer.remove(weight)
            model.graph.initializer.remove(bias)
        else:
            nodes.append(node)
    return None if len(nodes) == len(decoder.graph.node) else _made_of(model, nodes)


def _made_of(model: ModelProto, nodes: list[NodeProto]) -> ModelProto:
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return model


def _is_layer(node: NodeProto, weights: Mapping[str, TensorProto]) -> bool:
    """Whether `node` is values [k, I] × constant weights [I, O] + a constant bias [O], and nothing else."""
    plain = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
    return (
        node.op_type == "Gemm"
        and len(node.input) == 3
        and all(name in weights for name in node.input[1:])
        and len(weights[node.input[2]].dims) == 1
        and all(helper.get_attribute_value(attribute) == plain[attribute.name] for attribute in node.attribute)
    )


def _layer(graph: GraphProto, gemm: NodeProto, weight: Array, bias: Array) -> list[NodeProto]:
    """The nodes that do what `gemm` does, with weights [I, O] and bias [O] filled up to whole blocks of zeros.

    Values in blocks, [channels / 16, k, 16], are said to be [1, channels, 1, k].
    """
    inputs, outputs = weight.shape
    rows, columns = (-size % BLOCK for size in (inputs, outputs))
    whole = np.pad(weight, ((0, rows), (0, columns)))
    kernel = whole.reshape(inputs + rows, -1, BLOCK).transpose(1, 0, 2).reshape(outputs + columns, -1, 1, 1)
    nodes: list[NodeProto] = []
    name = gemm.input[1]

    def constant(what: str, value: Array) -> str:
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), f"{name}.{what}"))
        return f"{name}.{what}"

    def add(op: str, *values: str, domain: str = "", to: str = "", **attributes: Any) -> str:  # noqa: ANN401 - ONNX's
        made = to or f"{name}.{len(nodes)}"
        nodes.append(helper.make_node(op, values, [made], made, domain=domain, **attributes))
        return made

    def reshape(value: str, *shape: int, to: str = "") -> str:
        return add("Reshape", value, constant(f"shape_{len(nodes)}", np.array(shape)), to=to)

    value = gemm.input[0]
    if rows:
        value = add("Pad", value, constant("rows", np.array([0, 0, 0, rows])))
    value = add("Transpose", reshape(value, -1, (inputs + rows) // BLOCK, BLOCK), perm=[1, 0, 2])
    value = reshape(value, 1, inputs + rows, 1, -1)
    blocks = constant("blocked", kernel), constant("bias.blocked", np.pad(bias, (0, columns)))
    value = add("Conv", value, *blocks, domain=DOMAIN, kernel_shape=[1, 1])
    value = add("Transpose", reshape(value, (outputs + columns) // BLOCK, -1, BLOCK), perm=[1, 0, 2])
    value = reshape(value, -1, outputs + columns, to="" if columns else gemm.output[0])
    if columns:
        ends = (constant(what, np.array([number])) for what, number in (("from", 0), ("to", outputs), ("axis", 1)))
        add("Slice", value, *ends, to=gemm.output[0])
    return nodes


def _convolves(node: NodeProto, weights: Mapping[str, TensorProto], inside: Mapping[str, int]) -> bool:
    """Whether `node` is a convolution of `STAGES` whose values are in blocks, or so few that they need not be."""
    if node.op_type not in ("Conv", "FusedConv") or node.input[1].split(".")[0] not in STAGES:
        return False
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    outputs, inputs = weights[node.input[1]].dims[:2]
    first = inputs < BLOCK and node.input[0] not in inside
    summed = node.input[3:]
    return (
        groups == 1
        and outputs % BLOCK == 0
        and (first or (inputs % BLOCK == 0 and node.input[0] in inside))
        and all(name in inside for name in summed)
    )


def _within(node: NodeProto, op: str, values: list[str], inside: Mapping[str, int]) -> NodeProto:
    """`node` as the operator for blocks."""
    names = [f"{name}.blocked" if name in inside else name for name in values]
    made = helper.make_node(op, names, [f"{node.output[0]}.blocked"], node.name, domain=DOMAIN)
    made.attribute.extend(node.attribute)
    return made


def _reorder(kernel: TensorProto) -> TensorProto:
    """Weights [O, I, rows, columns] in the order [O / 16, I / 16, rows, columns, 16 of I, 16 of O]; of few inputs
    [O / 16, I, rows, columns, 16 of O].
    """
    plain = numpy_helper.to_array(kernel)
    outputs, inputs, *sides = plain.shape
    depth = BLOCK if inputs >= BLOCK else 1
    parts = plain.reshape(outputs // BLOCK, BLOCK, inputs // depth, depth, *sides)
    ordered = np.ascontiguousarray(parts.transpose(0, 2, 4, 5, 3, 1))
    return numpy_helper.from_array(ordered.reshape(plain.shape), f"{kernel.name}.blocked")
