"""The encoder with its first stages laid out for AVX-512.

ONNX Runtime convolves faster where the channels of a point lie together, as many as one vector holds: 16 with
AVX-512. It lays a graph out so itself, but when it loads it, which takes longer than a caption; and weights laid out
ahead are no good on another processor, so that the bundle would hold all of them twice. The first stages alone are a
quarter of the multiplications and a thirtieth of the weights.

The operators and the order of their weights: `MlasReorderFilterOIHWBiBo` and `MlasReorderFilterOIHWBo` in
https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/reorder.cpp
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK = 16  # channels
STAGES = ("0", "4", "5")  # of torchvision's ResNet as a Sequential: the first convolution, and two of four stages
DOMAIN = "com.microsoft.nchwc"


def blocked(encoder: ModelProto) -> ModelProto | None:
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
    del graph.node[:]
    graph.node.extend(nodes)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return model


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
