# SPDX-License-Identifier: Apache-2.0
"""A writer of ONNX graphs, an operator at a time.

Weights are seeded by the graph's name, and scaled by fan-in so that activations keep unit variance: a quantised model
then tests its arithmetic rather than its clipping.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OPSET = 13
IR_VERSION = 8  # the newest that every toolkit from 1.6 on reads


class GraphWriter:
    """An ONNX graph to which operators are appended; every method returns the name of its tensor."""

    def __init__(self, name: str, opset: int = OPSET) -> None:
        self.opset = opset
        self._name = name
        self._random = np.random.default_rng(zlib.crc32(name.encode()))
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[tuple[str, int]] = []
        self._constants: list[onnx.TensorProto] = []
        self._channels: dict[str, int] = {}

    def input(self, name: str, shape: Sequence[int], dtype: int = TensorProto.FLOAT) -> str:
        """Add a graph input."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))
        self._channels[name] = shape[1] if len(shape) > 1 else shape[0]
        return name

    def output(self, name: str, source: str, dtype: int = TensorProto.FLOAT) -> None:
        """Make the tensor ``source``, of the element type ``dtype``, the graph output ``name``."""
        producer = next(node for node in self._nodes if source in node.output)
        producer.output[list(producer.output).index(source)] = name
        for node in self._nodes:
            for index, tensor in enumerate(node.input):
                if tensor == source:
                    node.input[index] = name
        self._outputs.append((name, dtype))

    def constant(self, value: NDArray[Any]) -> str:
        """Add a tensor whose value is in the file."""
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, *shape: int, fan_in: int) -> str:
        """Add normally distributed weights with variance 1 / ``fan_in``."""
        return self.constant((self._random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32))

    def op(self, kind: str, *inputs: str, channels: int | None = None, **attributes: Any) -> str:
        """Add any operator with one output; its channel count is its first input's unless given."""
        return self.ops(kind, 1, *inputs, channels=channels, **attributes)[0]

    def ops(
        self, kind: str, outputs: int, *inputs: str, channels: int | None = None, **attributes: Any
    ) -> tuple[str, ...]:
        """Add any operator with several outputs, all of one channel count."""
        name = f"{kind.lower()}{len(self._nodes)}"
        names = (name, *(f"{name}_{place}" for place in range(1, outputs)))
        domain = "" if onnx.defs.has(kind) else "custom"
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **attributes))
        for output in names:
            self._channels[output] = channels if channels is not None else self._channels.get(inputs[0], 0)
        return names

    def conv(self, x: str, channels: int, kernel: int = 3, stride: int = 1, depthwise: bool = False) -> str:
        """Add a convolution with bias, padded so that stride 1 keeps the size."""
        inputs = self._channels[x]
        group = inputs if depthwise else 1
        weight = self.weight(channels, inputs // group, kernel, kernel, fan_in=inputs // group * kernel * kernel)
        bias = self.constant(self._random.uniform(-0.5, 0.5, channels).astype(np.float32))
        attributes = {"group": group, "strides": [stride] * 2, "pads": [kernel // 2] * 4, "kernel_shape": [kernel] * 2}
        return self.op("Conv", x, weight, bias, channels=channels, **attributes)

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """Add a fully connected layer: [N, inputs] to [N, outputs]."""
        bias = self.constant(self._random.uniform(-0.5, 0.5, outputs).astype(np.float32))
        return self.op("Gemm", x, self.weight(inputs, outputs, fan_in=inputs), bias)

    def model(self) -> onnx.ModelProto:
        """Return the finished model, with inferred output shapes."""
        outputs = []
        for name, dtype in self._outputs:
            outputs.append(helper.make_empty_tensor_value_info(name))
            outputs[-1].type.tensor_type.elem_type = dtype
        return self._inferred(outputs)

    def _inferred(self, outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        read = {tensor for node in self._nodes for tensor in node.input}
        constants = [constant for constant in self._constants if constant.name in read]
        graph = helper.make_graph(self._nodes, self._name, self._inputs, outputs, constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("custom", 1)]
        used = opsets if any(node.domain for node in self._nodes) else opsets[:1]
        model = helper.make_model(graph, opset_imports=used, ir_version=IR_VERSION)
        return onnx.shape_inference.infer_shapes(model)
