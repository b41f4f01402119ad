"""Maximum and average over windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..registry import lowers

if TYPE_CHECKING:
    from ....model.graph import Node
    from ..builder import GraphBuilder


def _window(node: Node) -> dict[str, Any]:
    attributes = node.attributes
    window: dict[str, Any] = {"kernel_shape": list(attributes["kernel_shape"])}
    for name in ("pads", "strides"):
        if attributes.get(name):
            window[name] = list(attributes[name])
    window["ceil_mode"] = int(attributes.get("ceil_mode", 0))
    return window


@lowers("MaxPool")
def max_pool(node: Node, to: GraphBuilder) -> None:
    """The maximum of numbers on a grid is on the grid."""
    window = _window(node)
    if node.attributes.get("dilations"):
        window["dilations"] = list(node.attributes["dilations"])
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("MaxPool", value, **window), value)


@lowers("AveragePool")
def average_pool(node: Node, to: GraphBuilder) -> None:
    """With or without the padding in the count."""
    included = int(node.attributes.get("count_include_pad", 0))
    value = to.add("AveragePool", to.value(node.inputs[0]), count_include_pad=included, **_window(node))
    to.result(node.outputs[0], value)


@lowers("GlobalAveragePool")
def global_average_pool(node: Node, to: GraphBuilder) -> None:
    """Over the whole map."""
    to.result(node.outputs[0], to.add("GlobalAveragePool", to.value(node.inputs[0])))


@lowers("GlobalMaxPool")
def global_max_pool(node: Node, to: GraphBuilder) -> None:
    """Over the whole map."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("GlobalMaxPool", value), value)
