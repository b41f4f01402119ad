"""Operators that choose elements, and those that say where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


@lowers("GatherND")
def gather_nd(node: Node, to: GraphBuilder) -> None:
    """Slices of the first operand at the places that the second one gives."""
    value = to.value(node.inputs[0])
    places = to.add("Cast", to.value(node.inputs[1]), to=TensorProto.INT64)
    batch = int(node.attributes.get("batch_dims", 0))
    to.moved(node.outputs[0], to.add("GatherND", value, places, batch_dims=batch), value)


@lowers("ScatterND", "ScatterElements")
def scatter(node: Node, to: GraphBuilder) -> None:
    """The first operand with others in some places."""
    value, places, updates = to.values(node.inputs[:3])
    attributes: dict[str, Any] = {}
    if node.op == "ScatterElements":
        attributes["axis"] = int(node.attributes.get("axis", 0))
    if node.attributes.get("reduction", "none") != "none":
        attributes["reduction"] = node.attributes["reduction"]
    places = to.add("Cast", places, to=TensorProto.INT64)
    to.result(node.outputs[0], to.add(node.op, value, places, updates, **attributes))


@lowers("OneHot")
def one_hot(node: Node, to: GraphBuilder) -> None:
    """A one in the place that an index gives; or whatever the third operand says."""
    axis = int(node.attributes.get("axis", -1))
    result = node.outputs[0]
    places = to.add("Cast", to.value(node.inputs[0]), to=TensorProto.INT64)
    depth = to.ints([to.shape(result)[axis]])
    to.result(result, to.add("OneHot", places, depth, to.value(node.inputs[2]), axis=axis))


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
