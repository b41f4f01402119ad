# SPDX-License-Identifier: Apache-2.0
"""Operators that move data and compute nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....model.format.graph import DUMMY, DType
from ....model.operators.unsupported import UnsupportedFormError
from ..registry import lowers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....model.format.graph import Node
    from ..builder import GraphBuilder


@lowers("Reshape", "Flatten", "Squeeze", "Unsqueeze", "exReshape")
def reshape(node: Node, to: GraphBuilder) -> None:
    """Reshape to the shape of the output tensor."""
    value = to.value(node.inputs[0])
    shaped = to.add("Reshape", value, to.ints(to.shape(node.outputs[0])))
    to.moved(node.outputs[0], shaped, value)


@lowers("Identity", "Dropout")
def identity(node: Node, to: GraphBuilder) -> None:
    """Pass the value on, at most in another quantisation."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], value, value)


@lowers("Transpose")
def transpose(node: Node, to: GraphBuilder) -> None:
    """Permute the axes."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("Transpose", value, perm=list(node.attributes["perm"])), value)


@lowers("Concat")
def concat(node: Node, to: GraphBuilder) -> None:
    """Join tensors along an axis; scratch operands follow the real ones."""
    output = node.outputs[0]
    axis = int(node.attributes.get("axis", 0))
    values, length = [], 0
    for index in node.inputs:
        if length < to.shape(output)[axis]:
            values.append(to.value(index))
            length += to.shape(index)[axis]
    to.moved(output, to.add("Concat", *values, axis=axis), *values)


@lowers("Split")
def split(node: Node, to: GraphBuilder) -> None:
    """Split into the sizes of the output tensors, and those given for parts that nothing uses."""
    axis = int(node.attributes.get("axis", 0))
    value = to.value(node.inputs[0])
    sizes = [None if output == DUMMY else to.shape(output)[axis] for output in node.outputs]
    parts = to.add_many("Split", len(sizes), value, to.ints(_all_sizes(sizes, node, axis, to)), axis=axis)
    for output, part in zip(node.outputs, parts):
        to.moved(output, part, value)


def _all_sizes(known: Sequence[int | None], node: Node, axis: int, to: GraphBuilder) -> list[int]:
    """Return the sizes of all parts of a split."""
    if None not in known:
        return [size for size in known if size is not None]
    operand = to.operand(node, 1)
    given = node.attributes.get("split") or (() if operand is None else to.integers(operand))
    if len(given) == len(known):
        return [int(size) for size in given]
    rest = to.shape(node.inputs[0])[axis] - sum(size for size in known if size is not None)
    each, left_over = divmod(rest, known.count(None))
    if left_over or rest < 0:
        raise UnsupportedFormError("the sizes of its unused parts are not in the file")
    return [each if size is None else size for size in known]


@lowers("Slice")
def slice_(node: Node, to: GraphBuilder) -> None:
    """Slice by starts, ends, axes and steps, which are constant operands."""
    value = to.value(node.inputs[0])
    bounds = [
        to.ints(to.integers(index))
        for index in node.inputs[1:]
        if to.is_constant(index) and to.tensor(index).dtype in (DType.INT64, DType.INT32)
    ]
    to.moved(node.outputs[0], to.add("Slice", value, *bounds[:4]), value)


@lowers("Pad")
def pad(node: Node, to: GraphBuilder) -> None:
    """Pad with a constant, by reflection or with the edge."""
    mode = node.attributes.get("mode", "constant")
    value, filling = to.value(node.inputs[0]), to.operand(node, 2)
    operands = [value, to.ints(_pads(node, to))]
    if mode == "constant" and filling is not None:
        constant = to.is_constant(filling)
        number = to.initializer(to.numbers(filling).reshape(-1)[0]) if constant else to.value(filling)
        operands.append(number if constant else to.add("Reshape", number, to.ints([])))
    to.result(node.outputs[0], to.add("Pad", *operands, mode=mode))


def _pads(node: Node, to: GraphBuilder) -> list[int]:
    """Return the pads of all axes; the fourth operand may name those that have some."""
    given, rank = to.integers(node.inputs[1]), len(to.shape(node.inputs[0]))
    operand = to.operand(node, 3)
    if operand is None or to.tensor(operand).dtype not in (DType.INT64, DType.INT32):
        return list(given)
    axes = [axis % rank for axis in to.integers(operand)]
    pads = [0] * 2 * rank
    for place, axis in enumerate(axes):
        pads[axis], pads[axis + rank] = given[place], given[place + len(axes)]
    return pads


@lowers("Trilu")
def triangle(node: Node, to: GraphBuilder) -> None:
    """Zero one side of a diagonal, which the second operand may shift."""
    operands = [to.value(node.inputs[0])]
    if len(node.inputs) > 1 and to.is_constant(node.inputs[1]):
        operands.append(to.initializer(np.array(to.integers(node.inputs[1])[0], np.int64)))
    to.result(node.outputs[0], to.add("Trilu", *operands, upper=int(node.attributes.get("upper", 1))))


@lowers("Expand")
def expand(node: Node, to: GraphBuilder) -> None:
    """Broadcast to the shape of the output tensor."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("Expand", value, to.ints(to.shape(node.outputs[0]))), value)


@lowers("Tile")
def tile(node: Node, to: GraphBuilder) -> None:
    """Repeat along each axis."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("Tile", value, to.ints(to.integers(node.inputs[1]))), value)


@lowers("exConvTransposePad")
def spread(node: Node, to: GraphBuilder) -> None:
    """Put zeros between and around pixels, so that a plain convolution completes a transposed one.

    The attributes are those of the transposed convolution. A kernel of ones per channel puts the pixels in place.
    """
    height, width = node.attributes["strides"]
    ones = to.initializer(np.ones((to.shape(node.inputs[0])[1], 1, 1, 1), np.float32))
    value = to.value(node.inputs[0])
    apart = to.add("ConvTranspose", value, ones, group=to.shape(node.inputs[0])[1], strides=[height, width])
    before = [size - 1 - pad for size, pad in zip(node.attributes["kernel_shape"], node.attributes["pads"])]
    inner = [(size - 1) * stride + 1 for size, stride in zip(to.shape(node.inputs[0])[2:], (height, width))]
    after = [total - size - pad for total, size, pad in zip(to.shape(node.outputs[0])[2:], inner, before)]
    to.moved(node.outputs[0], to.add("Pad", apart, to.ints([0, 0, *before, 0, 0, *after])), value)


@lowers("exWindow")
def window(node: Node, to: GraphBuilder) -> None:
    """Cut a feature map into the windows of window attention: [N, C, windows, pixels of a window].

    ``partition`` makes windows of neighbouring pixels; ``partition_num_first`` of pixels whose distance is the number
    of windows.
    """
    mode = node.attributes["mode"]
    batch, channels = to.shape(node.inputs[0])[:2]
    rows, columns = node.attributes["num_windows"]
    height, width = node.attributes["window_sizes"]
    if mode == "partition":
        divided, order = [rows, height, columns, width], [0, 1, 2, 4, 3, 5]
    elif mode == "partition_num_first":
        divided, order = [height, rows, width, columns], [0, 1, 3, 5, 2, 4]
    else:
        raise UnsupportedFormError(f"its mode {mode!r} is unknown")
    value = to.value(node.inputs[0])
    cut = to.add("Reshape", value, to.ints([batch, channels, *divided]))
    grouped = to.add("Transpose", cut, perm=order)
    to.moved(node.outputs[0], to.add("Reshape", grouped, to.ints(to.shape(node.outputs[0]))), value)
