"""The decoder's graph: one word of k beams.

    word int64 [k], hidden [k, D], cell [k, D], features [1, F, C], projection [1, P, A]
    → log_probabilities [k, V], attention [k, P], hidden_next [k, D], cell_next [k, D]

What differs from the published step, and changes no word: features lie at the F points before the pool (see
`encoder`), so that the context is (attention · pool) · features; layers with the same input are one; the bias of
the attention's last layer is left out, since softmax does not see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from convert.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from captioner.torch_network import Layout
    from onnx import ModelProto

Array = np.ndarray[Any, Any]


def build(weights: Mapping[str, Array], layout: Layout, pool: Array) -> ModelProto:
    """The graph for an attention whose points are `pool` [P, F] times the features'."""
    size, points = layout, len(pool)
    graph = Graph("decoder")
    word = graph.input("word", ("k",), TensorProto.INT64)
    hidden = graph.input("hidden", ("k", size.hidden))
    cell = graph.input("cell", ("k", size.hidden))
    features = graph.input("features", (1, pool.shape[1], size.features))
    projection = graph.input("projection", (1, points, size.attention))

    def layer(name: str) -> tuple[Array, Array]:
        return weights[f"decoder.{name}.weight"], weights[f"decoder.{name}.bias"]

    asked = _linear(graph, "query_and_gate", hidden, *_stacked(layer("attention.decoder_att"), layer("f_beta")))
    query, gate = graph.split(asked, (size.attention, size.features), axis=1)

    query = graph.reshape(query, -1, 1, size.attention)
    matched = graph.add("Relu", graph.add("Add", projection, query))  # [k, P, A]
    full_att = graph.weight("full_att", weights["decoder.attention.full_att.weight"].T)
    energy = graph.reshape(graph.add("MatMul", matched, full_att), -1, points)
    attention = graph.add("Softmax", energy, axis=1, to="attention")

    mixed = graph.add("MatMul", attention, graph.weight("pool", pool))  # [k, F]
    context = graph.add("MatMul", mixed, graph.reshape(features, pool.shape[1], size.features))
    gated = graph.add("Mul", graph.add("Sigmoid", gate), context)
    said = graph.add("Gather", graph.weight("embedding", weights["decoder.embedding.weight"]), word)

    lstm = {part: weights[f"decoder.decode_step.{part}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    gates = _linear(
        graph,
        "lstm",
        graph.add("Concat", said, gated, hidden, axis=1),
        np.concatenate((lstm["weight_ih"], lstm["weight_hh"]), 1),
        lstm["bias_ih"].astype(np.float64) + lstm["bias_hh"],
    )
    enter, forget, candidate, leave = graph.split(gates, (size.hidden,) * 4, axis=1)  # PyTorch's order
    entering = graph.add("Mul", graph.add("Sigmoid", enter), graph.add("Tanh", candidate))
    kept = graph.add("Mul", graph.add("Sigmoid", forget), cell)
    cell_next = graph.add("Add", kept, entering, to="cell_next")
    hidden_next = graph.add("Mul", graph.add("Sigmoid", leave), graph.add("Tanh", cell_next), to="hidden_next")
    scores = _linear(graph, "fc", hidden_next, *layer("fc"))
    graph.add("LogSoftmax", scores, axis=1, to="log_probabilities")
    return graph.model(
        {
            "log_probabilities": ("k", size.vocabulary),
            "attention": ("k", points),
            "hidden_next": ("k", size.hidden),
            "cell_next": ("k", size.hidden),
        }
    )


def _linear(graph: Graph, name: str, value: str, weight: Array, bias: Array) -> str:
    """A large linear layer: values [k, N] → [k, M].

    As a MatMul, whose weights ONNX Runtime copies into an order of its own when it loads them: 40 ms at full size,
    which the first caption's words win back (2.5 instead of 5.9 ms each on one core as a 1 × 1 convolution).
    """
    product = graph.add("MatMul", value, graph.weight(f"{name}.weight", weight.T))
    return graph.add("Add", product, graph.weight(f"{name}.bias", bias))


def _stacked(*layers: tuple[Array, Array]) -> tuple[Array, Array]:
    """Layers with the same input as one: weights [sum of outputs, inputs] and biases."""
    return np.concatenate([weight for weight, _ in layers]), np.concatenate([bias for _, bias in layers])
