"""Operators that choose elements, and those that say where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto

from ..registry import lowers

if TYPE_CHECKING:
    from ....model.graph import Node
    from ..builder import GraphBuilder


@lowers("Gather")
def gather(node: Node, to: GraphBuilder) -> None:
    """Elements of the first operand at the places that the second one gives."""
    value = to.value(node.inputs[0])
    places = to.add("Cast", to.value(node.inputs[1]), to=TensorProto.INT64)
    to.moved(node.outputs[0], to.add("Gather", value, places, axis=int(node.attributes.get("axis", 0))), value)


@lowers("GatherElements")
def gather_elements(node: Node, to: GraphBuilder) -> None:
    """As Gather, element by element."""
    value = to.value(node.inputs[0])
    places = to.add("Cast", to.value(node.inputs[1]), to=TensorProto.INT64)
    axis = int(node.attributes.get("axis", 0))
    to.moved(node.outputs[0], to.add("GatherElements", value, places, axis=axis), value)


@lowers("ArgMax", "ArgMin")
def arg_extreme(node: Node, to: GraphBuilder) -> None:
    """The place of the largest or smallest element along an axis."""
    flags = {name: int(node.attributes.get(name, default)) for name, default in (("axis", 0), ("keepdims", 1))}
    to.result(node.outputs[0], to.add(node.op, to.value(node.inputs[0]), **flags))


@lowers("TopK")
def top_k(node: Node, to: GraphBuilder) -> None:
    """The k largest elements along an axis and their places."""
    value = to.value(node.inputs[0])
    flags = {
        name: int(node.attributes.get(name, default)) for name, default in (("axis", -1), ("largest", 1), ("sorted", 1))
    }
    # k is what the output says; operands of the kernel differ between toolkit versions.
    count = to.ints([to.shape(node.outputs[0])[flags["axis"]]])
    values, places = to.add_many("TopK", 2, value, count, **flags)
    to.moved(node.outputs[0], values, value)
    if len(node.outputs) > 1:
        to.result(node.outputs[1], places)
