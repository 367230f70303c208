"""A small hand for writing ONNX graphs: nodes in order, weights by name, checked at the end.

By hand and not by `torch.onnx`, since the algebra of `encoder` and `decoder` is not what the modules do, and
since equal weights then give equal bytes whatever torch's version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = np.ndarray[Any, Any]
Shape = tuple[int | str, ...]

OPSET = 17
IR_VERSION = 9


class Graph:
    """An ONNX graph that grows node by node; every `add` gives the name of what it computes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[NodeProto] = []
        self._weights: dict[str, TensorProto] = {}
        self._inputs: list[ValueInfoProto] = []

    def input(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> str:
        """An input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def weight(self, name: str, value: Array) -> str:
        """A constant: floats as float32, whole numbers as int64."""
        kind = np.float32 if np.issubdtype(value.dtype, np.floating) else np.int64
        self._weights[name] = numpy_helper.from_array(np.ascontiguousarray(value, kind), name)
        return name

    def add(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:  # noqa: ANN401 - ONNX's
        """A node with one output, named `to` or by its number."""
        output = to or f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def split(self, value: str, lengths: tuple[int, ...], axis: int) -> list[str]:
        """Cuts a value into pieces of these lengths."""
        count = len(self._nodes)
        names = [f"Split_{count}_{piece}" for piece in range(len(lengths))]
        sizes = self.weight(f"lengths_{count}", np.array(lengths))
        self._nodes.append(helper.make_node("Split", [value, sizes], names, name=f"Split_{count}", axis=axis))
        return names

    def reshape(self, value: str, *shape: int, to: str = "") -> str:
        """The same numbers in another shape, -1 for what is left."""
        words = "x".join(map(str, shape))
        return self.add("Reshape", value, self.weight(f"shape_{words}", np.array(shape)), to=to)

    def model(self, outputs: Mapping[str, Shape]) -> ModelProto:
        """The finished, checked model with these outputs, all float32."""
        graph = helper.make_graph(
            self._nodes,
            self.name,
            self._inputs,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            list(self._weights.values()),
        )
        model: ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="lambdacap"
        )
        model.ir_version = IR_VERSION
        checker.check_model(model, full_check=True)
        return model
