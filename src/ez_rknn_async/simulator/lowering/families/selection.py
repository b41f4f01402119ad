# SPDX-License-Identifier: Apache-2.0
"""Operators that select elements, and those that return the places of elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import TensorProto

from ....model.format.graph import DUMMY
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder


@lowers("Gather", "GatherElements", "GatherND")
def gather(node: Node, to: GraphBuilder) -> None:
    """Select elements or slices of the first operand at the places that the second one gives."""
    value = to.value(node.inputs[0])
    which = "batch_dims" if node.op == "GatherND" else "axis"
    attributes = {which: int(node.attributes.get(which, 0))}
    to.moved(node.outputs[0], to.add(node.op, value, _places(node.inputs[1], to), **attributes), value)


@lowers("ScatterND", "ScatterElements")
def scatter(node: Node, to: GraphBuilder) -> None:
    """Replace elements of the first operand at some places."""
    value, updates = to.value(node.inputs[0]), to.value(node.inputs[2])
    attributes: dict[str, Any] = {}
    if node.op == "ScatterElements":
        attributes["axis"] = int(node.attributes.get("axis", 0))
    if node.attributes.get("reduction", "none") != "none":
        attributes["reduction"] = node.attributes["reduction"]
    to.result(node.outputs[0], to.add(node.op, value, _places(node.inputs[1], to), updates, **attributes))


@lowers("OneHot")
def one_hot(node: Node, to: GraphBuilder) -> None:
    """Put a one at the place that an index gives; or the numbers of the third operand."""
    axis = int(node.attributes.get("axis", -1))
    result = node.outputs[0]
    depth = to.ints([to.shape(result)[axis]])
    to.result(result, to.add("OneHot", _places(node.inputs[0], to), depth, to.value(node.inputs[2]), axis=axis))


@lowers("ArgMax", "ArgMin")
def arg_extreme(node: Node, to: GraphBuilder) -> None:
    """Return the place of the largest or smallest element along an axis."""
    flags = {name: int(node.attributes.get(name, default)) for name, default in (("axis", 0), ("keepdims", 1))}
    to.result(node.outputs[0], to.add(node.op, to.value(node.inputs[0]), **flags))


@lowers("TopK")
def top_k(node: Node, to: GraphBuilder) -> None:
    """Return the k largest elements along an axis and their places."""
    value = to.value(node.inputs[0])
    flags = {
        name: int(node.attributes.get(name, default)) for name, default in (("axis", -1), ("largest", 1), ("sorted", 1))
    }
    # k is taken from the shape of a used output: operands of the kernel differ between toolkit versions.
    shape = next(to.shape(index) for index in node.outputs if index != DUMMY)
    count = to.ints([shape[flags["axis"]]])
    values, places = to.add_many("TopK", 2, value, count, **flags)
    to.moved(node.outputs[0], values, value)
    if len(node.outputs) > 1:
        to.result(node.outputs[1], places)


def _places(index: int, to: GraphBuilder) -> str:
    """Return the value of a tensor of indices, in the type in which every ONNX operator takes them."""
    return to.add("Cast", to.value(index), to=TensorProto.INT64)
