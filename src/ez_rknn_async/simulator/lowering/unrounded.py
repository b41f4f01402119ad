# SPDX-License-Identifier: Apache-2.0
"""Tensors that the NPU stores as int8 and the official simulator never rounds.

Both fuse convolutions with the operators after them, but not always the same ones. Where the official simulator fuses
more than the compiler, the tensor between the two operators is in the file, but the simulator neither rounds nor
saturates it, as its intermediate results show.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...model.format.graph import DType

if TYPE_CHECKING:
    from ...model.format.graph import Node
    from .builder import GraphBuilder

_TILE = re.compile(r"_tile\d+_conv$")
_COPIED_INPUT = "New_input_"
_SUM_OF_ACTIVATION = re.compile(r"Conv[A-Z]\w*(?<!PRelu)Add")  # with one further operand
_DEPTHWISE_SUMS_APART = ("rk3588", "rk3566", "rk3568")


def is_unrounded(node: Node, to: GraphBuilder) -> bool:
    """Check if the official simulator never rounds the result of ``node``, a convolution with no fused stages."""
    result = node.outputs[0]
    if to.tensor(result).dtype is not DType.INT8:
        return False
    users = [user for user in to.graph.nodes if result in user.inputs]
    if len(users) != 1 or users[0].inputs.count(result) != 1 or result in to.graph.outputs:
        return False
    (user,) = users
    if user.op.startswith("Conv"):
        return _is_only_added(node, user, to)
    if node.op.startswith("ConvTranspose"):
        return False
    return _is_fused(node, user, _is_depthwise(node), to)


def _is_depthwise(node: Node) -> bool:
    return int(node.attributes.get("group", 1)) > 1


def _is_fused(node: Node, user: Node, depthwise: bool, to: GraphBuilder) -> bool:
    """Check if the official simulator fuses an operator that the compiler kept separate.

    On every SoC that is a sum with a constant or with an input of the graph. On RK3576 it is a GELU too. On RK3562,
    whose compiler fuses no sum with a depthwise convolution, it is any sum.
    """
    target = to.model.target_platform
    if user.op == "exGelu":
        return target == "rk3576" and not depthwise
    if not user.op.startswith("Add") or (depthwise and target in _DEPTHWISE_SUMS_APART):
        return False
    others = [index for index in to.operands(user) if index != node.outputs[0]]
    if depthwise and target == "rk3562" and len(others) == 1 and not to.is_constant(others[0]):
        return not _is_fused_before(others[0], node, to)
    return all(to.is_constant(index) or _original(index, to) in to.graph.inputs for index in others)


def _is_fused_before(index: int, node: Node, to: GraphBuilder) -> bool:
    """Check if the sum is fused with the operand ``index``: also of a convolution, which comes first in the network."""
    makers = (maker for maker in to.graph.nodes[: node.index] if index in maker.outputs)
    readers = sum(index in reader.inputs for reader in to.graph.nodes)
    return readers == 1 and any(maker.op == "Conv" for maker in makers)


def _is_only_added(node: Node, user: Node, to: GraphBuilder) -> bool:
    """Check if the result only goes into a sum that the compiler, unlike the simulator, fused with another convolution.

    The compiler fuses the sum of two convolutions with the one that it runs last and stores the other's result as int8.
    The official simulator fuses it with the one that comes first in the network, whose result is therefore neither
    rounded nor saturated there. (It rounds the other one instead, to a scale that is not in the file.) If the other one
    has an activation before the sum, the simulator cannot fuse the sum with it.
    """
    result = node.outputs[0]
    if result in user.inputs[:2]:
        return False
    if _SUM_OF_ACTIVATION.fullmatch(user.op):
        return True
    if not user.op.startswith("ConvAdd"):
        return False
    name = to.tensor(result).name
    if _TILE.search(name):  # a part of a large convolution, whose channels the compiler has split
        return _is_split_input(node, to)
    if name != to.tensor(node.inputs[0]).name + "_conv":
        return _is_first_in_network(node, user, to)
    # The parts of a convolution of a concatenation, which the compiler has split: in the order of their inputs.
    places = {output: place for place, maker in enumerate(to.graph.nodes) for output in maker.outputs}
    return places.get(node.inputs[0], -1) < places.get(user.inputs[0], -1)


def _is_first_in_network(node: Node, other: Node, to: GraphBuilder) -> bool:
    """Check if a convolution came before another one in the network that was compiled.

    The compiler adds biases in that order to convolutions that have none. Weights are numbered as the network lists its
    constants: usually in the order of their use, but an exporter may list operators in another one.
    """
    first, second = _added_bias(node, to), _added_bias(other, to)
    return node.inputs[1] < other.inputs[1] if first is None or second is None else first < second


def _added_bias(node: Node, to: GraphBuilder) -> int | None:
    """Return the bias of a convolution that had none in the network."""
    name = to.tensor(node.inputs[1]).name + "_bias_0"
    return next((index for index in node.inputs[2:3] if to.tensor(index).name == name), None)


def _is_split_input(node: Node, to: GraphBuilder) -> bool:
    """Check if the convolution that was split takes an input of the graph: then its second part comes first."""
    split = next((maker for maker in to.graph.nodes if node.inputs[0] in maker.outputs), None)
    return split is not None and split.op == "Split" and _original(split.inputs[0], to) in to.graph.inputs


def _original(index: int, to: GraphBuilder) -> int:
    """Return the tensor of which this one is the compiler's copy in another layout, else the tensor itself."""
    makers = {output: maker for maker in to.graph.nodes for output in maker.outputs if maker.op != "InputOperator"}
    while index in makers and to.tensor(index).name.startswith(_COPIED_INPUT):
        index = makers[index].inputs[0]
    return index
