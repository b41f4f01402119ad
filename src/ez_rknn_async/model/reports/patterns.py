# SPDX-License-Identifier: Apache-2.0
"""The patterns of reports: questions about one layer of a decoded graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..format.graph import DUMMY, DType, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..format.graph import Graph, Node, Tensor

    Pattern = Callable[[Graph, Node], bool]

_COMPUTED = (Kind.INPUT, Kind.INTERMEDIATE, Kind.OUTPUT)


def is_one_of(*ops: str) -> Pattern:
    """Match layers by their operator."""
    return lambda graph, node: node.op in ops


def on_npu(pattern: Pattern) -> Pattern:
    """Match only layers that the NPU executes."""
    return lambda graph, node: node.on_npu and pattern(graph, node)


def on_cpu(pattern: Pattern) -> Pattern:
    """Match only layers that the runtime executes on the CPU."""
    return lambda graph, node: not node.on_npu and pattern(graph, node)


def in_float16(pattern: Pattern) -> Pattern:
    """Match only layers with a float16 result."""
    return lambda graph, node: _result(graph, node).dtype is DType.FLOAT16 and pattern(graph, node)


def in_quantised_model(pattern: Pattern) -> Pattern:
    """Match only layers of a network that computes in int8 elsewhere."""
    return lambda graph, node: (
        pattern(graph, node)
        and any(tensor.dtype is DType.INT8 and tensor.kind is Kind.INTERMEDIATE for tensor in graph.tensors)
    )


def softmax_over(count: int) -> Pattern:
    """Match a Softmax over so many numbers."""

    def matches(graph: Graph, node: Node) -> bool:
        shape, axis = _result(graph, node).shape, node.attributes.get("axis")
        if node.op != "exSoftmax13" or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
            return False
        return shape[axis] == count

    return matches


def of_size(least: int, pattern: Pattern) -> Pattern:
    """Match only layers with so many elements in their result."""
    return lambda graph, node: math.prod(_result(graph, node).shape) >= least and pattern(graph, node)


def first_layer(graph: Graph, node: Node) -> bool:
    """Match one layer for the whole model."""
    return node is next((each for each in graph.nodes if each.on_npu and each.op != "InputOperator"), None)


def along_a_row(graph: Graph, node: Node) -> bool:
    """Match a convolution along a row that the layer before it made of a higher map, and that keeps its length."""
    row, kernel, result = _operand(graph, node, 0), _extents(node, "kernel_shape"), _result(graph, node)
    if not _is_convolution(node) or not _is_row(row) or not _is_row(result) or kernel[-1:] <= (1,):
        return False
    made_of = [_operand(graph, maker, 0).shape for maker in graph.nodes if row.index in maker.outputs]
    return row.shape[3] == result.shape[3] and any(len(shape) == 4 and shape[2] > 1 for shape in made_of)


def broadcast_before_relu(graph: Graph, node: Node) -> bool:
    """Match a sum of two computed tensors of different shapes with a Relu fused behind it."""
    one, other = _operand(graph, node, 0), _operand(graph, node, 1)
    computed = one.kind in _COMPUTED and other.kind in _COMPUTED
    return node.op == "AddRelu" and computed and one.shape != other.shape


def strided_by(least: int) -> Pattern:
    """Match a convolution with such a stride or a larger one."""
    return lambda graph, node: _is_convolution(node) and max(_extents(node, "strides"), default=1) >= least


def kernel_of(least: int) -> Pattern:
    """Match a convolution with a kernel of such an extent or a larger one."""
    return lambda graph, node: _is_convolution(node) and max(_extents(node, "kernel_shape"), default=1) >= least


def computed_kernel(graph: Graph, node: Node) -> bool:
    """Match a convolution whose weights are computed."""
    return _is_convolution(node) and _operand(graph, node, 1).kind in _COMPUTED


def tiled_mean(graph: Graph, node: Node) -> bool:
    """Match the first of the strided depthwise convolutions that the compiler makes of a global mean."""
    kernel = _extents(node, "kernel_shape")
    return "GlobalAveragePool" in node.name and _is_convolution(node) and kernel == (7, 7)


def bilinear_inside(graph: Graph, node: Node) -> bool:
    """Match a bilinear Resize whose result another layer consumes."""
    if node.op != "Resize" or node.attributes.get("mode") != "linear":
        return False
    return any(
        set(node.outputs) & set(other.inputs) for other in graph.nodes if other.op not in ("OutputOperator", "Resize")
    )


def long_rows(least: int, pattern: Pattern) -> Pattern:
    """Match only layers with so many elements in the last two axes of their first operand."""
    return lambda graph, node: math.prod(_operand(graph, node, 0).shape[-2:]) >= least and pattern(graph, node)


def _is_row(tensor: Tensor) -> bool:
    shape = tensor.shape
    return tensor.kind is not Kind.INPUT and len(shape) == 4 and shape[2] == 1 < shape[3]


def _is_convolution(node: Node) -> bool:
    return node.op.startswith("Conv") and not node.op.startswith("ConvTranspose")


def _extents(node: Node, attribute: str) -> tuple[int, ...]:
    value = node.attributes.get(attribute, ())
    return tuple(value) if isinstance(value, (tuple, list)) else ()


def _operand(graph: Graph, node: Node, place: int) -> Tensor:
    return graph.tensors[node.inputs[place] if place < len(node.inputs) else DUMMY]


def _result(graph: Graph, node: Node) -> Tensor:
    return graph.tensors[node.outputs[0] if node.outputs else DUMMY]
