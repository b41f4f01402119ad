# SPDX-License-Identifier: Apache-2.0
"""A rewrite that keeps an exported model's numbers the same in any ONNX Runtime.

The simulated NPU runs its sessions without the fusions of quantised operators. Other programs do not, and by
default ONNX Runtime (seen with 1.32) quantises the float weights of every convolution between a DequantizeLinear
and a QuantizeLinear again, on a grid that is not the compiler's: outputs of the test models move by up to three
units. A bias added by ``Sum``, which ONNX Runtime fuses with nothing, prevents that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .lowering import Lowered

_CONVOLUTIONS = ("Conv", "ConvTranspose")


def with_separate_biases(lowered: Lowered) -> Lowered:
    """Return the same graph, with each quantised convolution's bias in an operator of its own."""
    skeleton = onnx.ModelProto()
    skeleton.CopyFrom(lowered.skeleton)
    graph = skeleton.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    quantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    nodes = []
    for node in list(graph.node):
        nodes.append(node)
        if node.op_type in _CONVOLUTIONS and node.input[0] in quantized and len(node.input) == 3:
            values = _array(initializers[node.input[2]], lowered.weights)
            bias = numpy_helper.from_array(values.reshape(-1, 1, 1), f"{node.input[2]}@{node.name}")
            graph.initializer.append(bias)
            nodes.append(_separate(node, bias.name))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return replace(lowered, skeleton=skeleton, weights=_keep_used(graph, lowered.weights))


def _separate(convolution: onnx.NodeProto, bias: str) -> onnx.NodeProto:
    """Remove the bias; the returned operator adds it and gives the result instead."""
    result = convolution.output[0]
    del convolution.input[2]
    convolution.output[0] = f"{result}@product"
    stem, _, number = convolution.name.rpartition("/")
    name = f"{stem}/Sum#{number.rpartition('#')[2]}"
    return helper.make_node("Sum", [convolution.output[0], bias], [result], name=name)


def _array(initializer: onnx.TensorProto, weights: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    return weights[initializer.name] if initializer.name in weights else numpy_helper.to_array(initializer)


def _keep_used(graph: onnx.GraphProto, weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Remove the initialisers that are not read any more; return the weights of the others."""
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del graph.initializer[:]
    graph.initializer.extend(copies)
    return {name: array for name, array in weights.items() if name in used}
