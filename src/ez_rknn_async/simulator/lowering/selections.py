# SPDX-License-Identifier: Apache-2.0
"""Strides that the compiler has taken apart.

The NPU steps over a few pixels at most. A convolution with a longer stride, as in front of speech, becomes one with a
short stride, of whose results depthwise convolutions with a kernel of 1 select every fourth, and of these again. Nearly
all of its results are thrown away; here they are not computed in the first place. Every number is the same: in an
int8 model each of these convolutions has a scale of its own, and to one after the other what is selected is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...model.operators.convolution import convolution
from ...model.operators.stages import Binary
from .grid import grid_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...model.format.graph import Node
    from ...model.operators.convolution import Convolution
    from .builder import GraphBuilder

_NEARLY = 1e-3  # a factor this near to 1 moves no number on a grid of 256 to another one


@dataclass(frozen=True)
class Whole:
    """A convolution with the stride that the network had."""

    convolution: Convolution
    last: Node  # whose result is that of the whole
    between: tuple[int, ...]  # the tensors between the two, to whose grids it is rounded


def with_whole_stride(node: Node, decoded: Convolution, to: GraphBuilder) -> Whole:
    """Return the convolution with the selections behind it, which are marked as absorbed."""
    absorbed: list[Node] = []
    tensors, strides = [node.outputs[0]], decoded.strides
    if not decoded.transposed and not any(isinstance(stage, Binary) for stage in decoded.stages):
        while (selection := _selection_behind(tensors[-1], decoded, to)) is not None:
            tensors.append(selection.outputs[0])
            steps = selection.attributes["strides"]
            strides = strides[0] * int(steps[0]), strides[1] * int(steps[1])
            absorbed.append(selection)
    if not absorbed or not _has_shape(node, decoded, strides, tensors[-1], to):
        return Whole(decoded, node, ())
    to.absorb(absorbed)
    return Whole(replace(decoded, strides=strides), absorbed[-1], tuple(tensors[:-1]))


def _selection_behind(index: int, decoded: Convolution, to: GraphBuilder) -> Node | None:
    """Return the node that selects pixels of a tensor, if nothing else reads it."""
    users = [node for node in to.graph.nodes if index in node.inputs]
    if len(users) != 1 or index in to.graph.outputs:
        return None
    return users[0] if _selects(users[0], index, decoded, to) else None


def _selects(node: Node, index: int, decoded: Convolution, to: GraphBuilder) -> bool:
    given = node.attributes
    if node.op != "Conv" or node.inputs[0] != index or tuple(given.get("kernel_shape", ())) != (1, 1):
        return False
    if any(given.get("pads", ())) or max(given.get("strides", ()), default=1) == 1:
        return False
    if given.get("group", 1) != to.shape(index)[1]:
        return False
    selecting = convolution(to.model, to.graph, node, to.registers)
    if selecting.bias is not None and np.abs(selecting.bias).max() > _NEARLY * _step(node, to):
        return False
    factors = selecting.weight.real().ravel()
    return bool((np.abs(factors - 1) < _NEARLY)[~_is_zero(decoded)].all())


def _step(node: Node, to: GraphBuilder) -> float:
    grid = grid_of(to.tensor(node.outputs[0]))
    return 1e-6 if grid is None else grid.scale


def _is_zero(decoded: Convolution) -> NDArray[np.bool_]:
    """Check which channels are zero whatever the input: their factor may be anything, and is zero."""
    channels = decoded.weight.shape[0]
    if decoded.stages:
        return np.zeros(channels, bool)
    zero = decoded.weight.real().reshape(channels, -1).max(axis=1) == 0
    zero &= decoded.weight.real().reshape(channels, -1).min(axis=1) == 0
    if decoded.bias is not None:
        zero &= decoded.bias == 0
    return np.asarray(zero, bool)


def _has_shape(node: Node, decoded: Convolution, strides: tuple[int, int], output: int, to: GraphBuilder) -> bool:
    """Check if the convolution with those strides has as many pixels as the last selection."""
    sizes = zip(
        to.shape(node.inputs[0])[2:],
        decoded.weight.shape[2:],
        decoded.dilations,
        decoded.pads[:2],
        decoded.pads[2:],
        strides,
        to.shape(output)[2:],
    )
    return all(
        (size + before + after - dilation * (kernel - 1) - 1) // stride + 1 == pixels
        for size, kernel, dilation, before, after, stride, pixels in sizes
    )
