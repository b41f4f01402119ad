# SPDX-License-Identifier: Apache-2.0
"""The patterns of reports: questions about one layer of a decoded graph."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

from ..format.graph import DUMMY, DType, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..format.graph import Graph, Node, Tensor

    Pattern = Callable[["Network", Node], bool]

_COMPUTED = (Kind.INPUT, Kind.INTERMEDIATE, Kind.OUTPUT)


class Network:
    """A graph, and what patterns ask of it as a whole, found once: a file may have many thousands of layers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def makers(self) -> dict[int, Node]:
        """The layer that computes each tensor."""
        return {output: node for node in self.graph.nodes for output in node.outputs}

    @cached_property
    def consumed(self) -> set[int]:
        """The tensors that a layer computes with; the end of the graph and a further Resize do not count."""
        layers = (node for node in self.graph.nodes if node.op not in ("OutputOperator", "Resize"))
        return {tensor for node in layers for tensor in node.inputs if tensor != DUMMY}

    @cached_property
    def first(self) -> Node | None:
        """The first layer that the NPU executes."""
        return next((node for node in self.graph.nodes if node.on_npu and node.op != "InputOperator"), None)

    @cached_property
    def is_quantised(self) -> bool:
        """True if it computes in int8 somewhere."""
        tensors = self.graph.tensors
        return any(tensor.dtype is DType.INT8 and tensor.kind is Kind.INTERMEDIATE for tensor in tensors)


def is_one_of(*ops: str) -> Pattern:
    """Match layers by their operator."""
    return lambda net, node: node.op in ops


def on_npu(pattern: Pattern) -> Pattern:
    """Match only layers that the NPU executes."""
    return lambda net, node: node.on_npu and pattern(net, node)


def on_cpu(pattern: Pattern) -> Pattern:
    """Match only layers that the runtime executes on the CPU."""
    return lambda net, node: not node.on_npu and pattern(net, node)


def in_float16(pattern: Pattern) -> Pattern:
    """Match only layers with a float16 result."""
    return lambda net, node: _result(net, node).dtype is DType.FLOAT16 and pattern(net, node)


def in_quantised_model(pattern: Pattern) -> Pattern:
    """Match only layers of a network that computes in int8 elsewhere."""
    return lambda net, node: net.is_quantised and pattern(net, node)


def softmax_over(count: int) -> Pattern:
    """Match a Softmax over so many numbers."""

    def matches(net: Network, node: Node) -> bool:
        shape, axis = _result(net, node).shape, node.attributes.get("axis")
        if node.op != "exSoftmax13" or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
            return False
        return shape[axis] == count

    return matches


def of_size(least: int, pattern: Pattern) -> Pattern:
    """Match only layers with so many elements in their result."""
    return lambda net, node: math.prod(_result(net, node).shape) >= least and pattern(net, node)


def first_layer(net: Network, node: Node) -> bool:
    """Match one layer for the whole model."""
    return node is net.first


def along_a_row(net: Network, node: Node) -> bool:
    """Match a convolution along a row that the layer before it made of a higher map, and that keeps its length."""
    row, kernel, result = _operand(net, node, 0), _extents(node, "kernel_shape"), _result(net, node)
    if not _is_convolution(node) or not _is_row(row) or not _is_row(result) or kernel[-1:] <= (1,):
        return False
    maker = net.makers.get(row.index)
    shape = _operand(net, maker, 0).shape if maker is not None else ()
    return row.shape[3] == result.shape[3] and len(shape) == 4 and shape[2] > 1


def broadcast_before_relu(net: Network, node: Node) -> bool:
    """Match a sum of two computed tensors of different shapes with a Relu fused behind it."""
    one, other = _operand(net, node, 0), _operand(net, node, 1)
    computed = one.kind in _COMPUTED and other.kind in _COMPUTED
    return node.op == "AddRelu" and computed and one.shape != other.shape


def strided_by(least: int) -> Pattern:
    """Match a convolution with such a stride or a larger one."""
    return lambda net, node: _is_convolution(node) and max(_extents(node, "strides"), default=1) >= least


def kernel_of(least: int) -> Pattern:
    """Match a convolution with a kernel of such an extent or a larger one."""
    return lambda net, node: _is_convolution(node) and max(_extents(node, "kernel_shape"), default=1) >= least


def computed_kernel(net: Network, node: Node) -> bool:
    """Match a convolution whose weights are computed."""
    return _is_convolution(node) and _operand(net, node, 1).kind in _COMPUTED


def tiled_mean(net: Network, node: Node) -> bool:
    """Match the first of the strided depthwise convolutions that the compiler makes of a global mean."""
    kernel = _extents(node, "kernel_shape")
    return "GlobalAveragePool" in node.name and _is_convolution(node) and kernel == (7, 7)


def bilinear_inside(net: Network, node: Node) -> bool:
    """Match a bilinear Resize whose result another layer consumes."""
    if node.op != "Resize" or node.attributes.get("mode") != "linear":
        return False
    return any(output in net.consumed for output in node.outputs)


def long_rows(least: int, pattern: Pattern) -> Pattern:
    """Match only layers with so many elements in the last two axes of their first operand."""
    return lambda net, node: math.prod(_operand(net, node, 0).shape[-2:]) >= least and pattern(net, node)


def _is_row(tensor: Tensor) -> bool:
    shape = tensor.shape
    return tensor.kind is not Kind.INPUT and len(shape) == 4 and shape[2] == 1 < shape[3]


def _is_convolution(node: Node) -> bool:
    return node.op.startswith("Conv") and not node.op.startswith("ConvTranspose")


def _extents(node: Node, attribute: str) -> tuple[int, ...]:
    value = node.attributes.get(attribute, ())
    is_list = isinstance(value, (tuple, list)) and all(isinstance(extent, int) for extent in value)
    return tuple(value) if is_list else ()


def _operand(net: Network, node: Node, place: int) -> Tensor:
    return net.graph.tensors[node.inputs[place] if place < len(node.inputs) else DUMMY]


def _result(net: Network, node: Node) -> Tensor:
    return net.graph.tensors[node.outputs[0] if node.outputs else DUMMY]
