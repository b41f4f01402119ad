# SPDX-License-Identifier: Apache-2.0
"""Maximum and average over windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ....model.operators.unsupported import UnsupportedFormError
from ..cropping import cropped, remaining
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder


_ALWAYS_ALLOWED = 256  # pixels of a window, however much of it is padding


def _source(node: Node, to: GraphBuilder) -> str:
    """Return the map that the windows move over."""
    return cropped(to.value(node.inputs[0]), node.attributes.get("pads") or (), to)


def _window(node: Node) -> dict[str, Any]:
    attributes = node.attributes
    window: dict[str, Any] = {"kernel_shape": list(attributes["kernel_shape"])}
    if attributes.get("strides"):
        window["strides"] = list(attributes["strides"])
    if attributes.get("pads"):
        window["pads"] = remaining(attributes["pads"])
    window["ceil_mode"] = int(attributes.get("ceil_mode", 0))
    return window


@lowers("MaxPool")
def max_pool(node: Node, to: GraphBuilder) -> None:
    """Pool the maximum; of numbers on a grid it is on the grid."""
    window = _window(node)
    if node.attributes.get("dilations"):
        window["dilations"] = list(node.attributes["dilations"])
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("MaxPool", _source(node, to), **window), value)


@lowers("AveragePool")
def average_pool(node: Node, to: GraphBuilder) -> None:
    """Pool the average, with or without the padding in the count."""
    included = int(node.attributes.get("count_include_pad", 0))
    window = _window(node)
    if to.on_grid(node.inputs[0]) and (included or not any(window.get("pads", ()))) and not window["ceil_mode"]:
        to.result(node.outputs[0], _average_of_quantized(node, to, window))
        return
    value = to.add("AveragePool", _source(node, to), count_include_pad=included, **window)
    to.result(node.outputs[0], value)


def _average_of_quantized(node: Node, to: GraphBuilder, window: dict[str, Any]) -> str:
    """Add by a convolution, then divide, so that halves are rounded alike.

    The mean of four or six integers is often halfway between two. In float32 the order of the additions then decides
    the direction of rounding, and a convolution adds in the order of the official simulator.
    """
    channels, kernel = to.shape(node.inputs[0])[1], window["kernel_shape"]
    if math.prod(kernel) > _ALWAYS_ALLOWED + 4 * math.prod(to.shape(node.inputs[0])[2:]):
        raise ValueError("the window is much larger than the map")
    geometry = {name: window[name] for name in ("kernel_shape", "pads", "strides") if name in window}
    ones = to.initializer(np.ones((channels, 1, *kernel), np.float32))
    total = to.add("Conv", _source(node, to), ones, group=channels, **geometry)
    return to.add("Div", total, to.floats(math.prod(kernel)))


@lowers("LpPool")
def lp_pool(node: Node, to: GraphBuilder) -> None:
    """Pool the norm of each window."""
    window = _window(node)
    if window.pop("ceil_mode"):
        raise UnsupportedFormError("it has ceil_mode")
    power = int(node.attributes.get("p", 2))
    to.result(node.outputs[0], to.add("LpPool", _source(node, to), p=power, **window))


@lowers("GlobalLpPool")
def global_lp_pool(node: Node, to: GraphBuilder) -> None:
    """Pool the norm of the whole map."""
    power = int(node.attributes.get("p", 2))
    to.result(node.outputs[0], to.add("GlobalLpPool", to.value(node.inputs[0]), p=power))


@lowers("MaxRoiPool")
def max_roi_pool(node: Node, to: GraphBuilder) -> None:
    """Pool the maxima of the cells of regions."""
    shape, scale = list(node.attributes["pooled_shape"]), float(node.attributes.get("spatial_scale", 1.0))
    value = to.add("MaxRoiPool", *to.values(node.inputs[:2]), pooled_shape=shape, spatial_scale=scale)
    to.result(node.outputs[0], value)


@lowers("GlobalAveragePool")
def global_average_pool(node: Node, to: GraphBuilder) -> None:
    """Average the whole map."""
    to.result(node.outputs[0], to.add("GlobalAveragePool", to.value(node.inputs[0])))


@lowers("GlobalMaxPool")
def global_max_pool(node: Node, to: GraphBuilder) -> None:
    """Pool the maximum of the whole map."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("GlobalMaxPool", value), value)
