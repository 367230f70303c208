"""The encoder's graph: a picture → what the decoder needs to know of it, computed once.

    image [1, 3, H, W] → features [1, F, C], projection [1, P, A], hidden [1, D], cell [1, D]

Three things are other than in the published network, and none changes a word:

- Batch norm is folded into the convolution before it.
- The pool from 8 × 8 to 14 × 14 points makes new points out of means of old ones: a linear map, the matrix
  `pool` [P, F]. So `features` stay at the F = 64 points before it, and what is linear in them is computed there:
  the attention's projection is spread to P = 196 points after, which takes a third of the multiplications, and
  the decoder mixes 64 points instead of 196.
- The attention's projection of the features does not depend on the words: it is computed here and not at
  every word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convert.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from captioner.torch_network import Layout
    from onnx import ModelProto

Array = np.ndarray[Any, Any]

EPSILON = 1e-5  # batch norm's, checked when the file was read
STRIDE = 32  # pixels of the picture a point of a ResNet's last stage


def build(weights: Mapping[str, Array], layout: Layout, height: int, width: int, grid: int) -> ModelProto:
    """The graph for pictures of `height` × `width` pixels and an attention of `grid` × `grid` points."""
    graph = Graph("encoder")
    resnet = _ResNet(graph, weights, layout)
    seen = resnet.forward(graph.input("image", (1, 3, height, width)))
    rows, columns = -(-height // STRIDE), -(-width // STRIDE)
    points, channels = rows * columns, layout.features
    flat = graph.reshape(seen, 1, channels, points)
    graph.add("Transpose", flat, perm=[0, 2, 1], to="features")

    spread = pool_matrix(rows, columns, grid)
    projected = _linear(graph, weights, "decoder.attention.encoder_att", seen)
    projected = graph.add("Transpose", graph.reshape(projected, layout.attention, points), perm=[1, 0])
    spread_projected = graph.add("MatMul", graph.weight("pool", spread), projected)
    graph.reshape(spread_projected, 1, grid * grid, layout.attention, to="projection")

    # The mean over the pool's points is a weighted mean over the points before it.
    mean = graph.add("MatMul", flat, graph.weight("pool_mean", spread.mean(0)[:, np.newaxis]))
    mean = graph.reshape(mean, 1, channels, 1, 1)
    for name, layer in (("hidden", "init_h"), ("cell", "init_c")):
        graph.reshape(_linear(graph, weights, f"decoder.{layer}", mean), 1, layout.hidden, to=name)
    return graph.model(
        {
            "features": (1, points, channels),
            "projection": (1, grid * grid, layout.attention),
            "hidden": (1, layout.hidden),
            "cell": (1, layout.hidden),
        }
    )


def pool_matrix(rows: int, columns: int, grid: int) -> Array:
    """`AdaptiveAvgPool2d((grid, grid))` on `rows` × `columns` points as a matrix [grid², rows × columns], float64.

    Output i is the mean of the inputs from ⌊i·n/grid⌋ up to ⌈(i+1)·n/grid⌉, in either direction.
    """

    def one_way(count: int) -> Array:
        matrix = np.zeros((grid, count))
        for i in range(grid):
            first, last = i * count // grid, -(-(i + 1) * count // grid)
            matrix[i, first:last] = 1 / (last - first)
        return matrix

    return np.kron(one_way(rows), one_way(columns))


class _ResNet:
    """torchvision's ResNet of bottlenecks without its last two layers, under the names of its Sequential."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array], layout: Layout) -> None:
        self.graph = graph
        self.weights = weights
        self.layout = layout

    def forward(self, image: str) -> str:
        """The picture → [1, C, H / 32, W / 32]."""
        graph = self.graph
        seen = graph.add("Relu", self._convolution(image, "0", "1", stride=2))
        seen = graph.add("MaxPool", seen, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        for stage, blocks in enumerate(self.layout.blocks):
            for block in range(blocks):
                seen = self._bottleneck(seen, f"{stage + 4}.{block}", 2 if stage and not block else 1)
        return seen

    def _bottleneck(self, seen: str, name: str, stride: int) -> str:
        graph = self.graph
        inner = graph.add("Relu", self._convolution(seen, f"{name}.conv1", f"{name}.bn1"))
        inner = self._convolution(inner, f"{name}.conv2", f"{name}.bn2", stride, self.layout.groups)
        inner = self._convolution(graph.add("Relu", inner), f"{name}.conv3", f"{name}.bn3")
        if f"encoder.resnet.{name}.downsample.0.weight" in self.weights:
            seen = self._convolution(seen, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return graph.add("Relu", graph.add("Add", inner, seen))

    def _convolution(self, value: str, convolution: str, norm: str, stride: int = 1, groups: int = 1) -> str:
        kernel = self.weights[f"encoder.resnet.{convolution}.weight"].astype(np.float64)
        gamma, beta, mean, variance = (
            self.weights[f"encoder.resnet.{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        side = kernel.shape[2]
        return self.graph.add(
            "Conv",
            value,
            self.graph.weight(f"{convolution}.weight", kernel * scale[:, None, None, None]),
            self.graph.weight(f"{convolution}.bias", beta - mean * scale),
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[side // 2] * 4,
            group=groups,
        )


def _linear(graph: Graph, weights: Mapping[str, Array], layer: str, value: str) -> str:
    """A linear layer at every point of [1, N, rows, columns], as a 1 × 1 convolution.

    ONNX Runtime copies a MatMul's weights into an order of its own when it loads them, a convolution's not, and these
    are used once a picture.
    """
    weight = graph.weight(f"{layer}.weight", weights[f"{layer}.weight"][:, :, None, None])
    bias = graph.weight(f"{layer}.bias", weights[f"{layer}.bias"])
    return graph.add("Conv", value, weight, bias, kernel_shape=[1, 1])
