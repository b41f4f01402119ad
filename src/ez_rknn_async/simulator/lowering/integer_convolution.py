# SPDX-License-Identifier: Apache-2.0
"""Convolutions in integers, with 8-bit weights and exact sums.

A convolution is a product of two matrices of bytes. Each row of the left one is the content of a window, channels
innermost; each column of the right one is the kernel of an output channel. ONNX Runtime sums in 32 bits, then
multiplies with a scale and adds a bias for each column, in float32: ``MatMulIntegerToFloat``. It packs the weights when
the session is opened, which takes the same number of bytes again; in float32 it would be four times as many, twice.

Rows overlap, and laying them out takes time in proportion to the pixels of the output. That pays where there are more
weights than pixels, at the end of a network; a small kernel is faster in float32, and its weights do not matter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ...model.operators.convolution import Convolution
    from ...model.operators.convolution_weight import Weight
    from .builder import GraphBuilder

SMALLEST_WEIGHT = 1 << 15  # numbers; anything below is computed in float32
_LARGEST_WINDOW = 256  # pixels; each becomes an operator
_LONGEST_SUM = (2**31 - 1) // (255 * 255)  # products of two bytes, less their zero points, that 32 bits hold


def convolve_integers(decoded: Convolution, source: int, result: int, to: GraphBuilder) -> str | None:
    """Return convolution and bias, in real numbers and in ONNX order; None if that is impossible or slow.

    Args:
        source: the tensor that is convolved.
        result: a tensor of the result's shape.
    """
    if not _suits(decoded):
        return None
    integers = to.integers_of(source)
    if integers is None:
        return None
    value, grid = integers
    zero_point = to.initializer(np.array(grid.zero_point, np.uint8))
    height, width = to.shape(result)[2:]
    windows = _windows(to.channels_last(value), zero_point, decoded, (height, width), to)
    columns, zero_points, scales = _columns(decoded.weight)
    operands = [
        windows,
        to.initializer(columns),
        to.initializer(np.array(1, np.float32)),
        to.initializer((scales * grid.scale).astype(np.float32)),
        zero_point,
        to.initializer(zero_points),
    ]
    if decoded.bias is not None:
        operands.append(to.initializer(decoded.bias))
    batch, channels = to.shape(source)[0], columns.shape[1]
    return to.add_channels_last("MatMulIntegerToFloat", (batch, height, width, channels), *operands)


def _suits(decoded: Convolution) -> bool:
    weight = decoded.weight
    if weight.offset is None or decoded.transposed or decoded.group != 1:
        return False
    if math.prod(weight.shape[2:]) > _LARGEST_WINDOW:
        return False
    if weight.numbers.size < SMALLEST_WEIGHT or math.prod(weight.shape[1:]) > _LONGEST_SUM:
        return False
    # Minus a zero point, which has to be a byte like the weights.
    return bool(weight.offset.min() >= -127 and weight.offset.max() <= 128)


def _columns(weight: Weight) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Return the kernels as columns [kh * kw * Cin, Cout], in new memory, and zero points and scales [Cout]."""
    from .byte_kernels import weight_type  # imports ONNX Runtime, which an export does without

    assert weight.scale is not None  # _suits has looked
    assert weight.offset is not None
    numbers = weight.numbers.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0])
    zero_points = -weight.offset.ravel()
    if weight_type() is np.int8:
        return np.array(numbers, np.int8, order="C"), zero_points.astype(np.int8), weight.scale.ravel()
    unsigned = np.bitwise_xor(numbers.view(np.uint8), np.uint8(128), order="C")  # + 128
    return unsigned, (zero_points + 128).astype(np.uint8), weight.scale.ravel()


def _windows(nhwc: str, zero_point: str, decoded: Convolution, size: tuple[int, int], to: GraphBuilder) -> str:
    """Return each output pixel's window: [N, height, width, kh * kw * Cin] from [N, H, W, Cin]."""
    top, left, bottom, right = decoded.pads
    if any(decoded.pads):
        nhwc = to.add("Pad", nhwc, to.ints([0, top, left, 0, 0, bottom, right, 0]), zero_point)
    kernel = decoded.weight.shape[2:]
    if kernel == (1, 1) and decoded.strides == (1, 1):
        return nhwc
    reach = [(pixels - 1) * stride + 1 for pixels, stride in zip(size, decoded.strides)]
    seen = []
    for place in np.ndindex(*kernel):
        begin = [step * dilation for step, dilation in zip(place, decoded.dilations)]
        end = [first + extent for first, extent in zip(begin, reach)]
        seen.append(to.add("Slice", nhwc, to.ints(begin), to.ints(end), to.ints([1, 2]), to.ints(decoded.strides)))
    return to.add("Concat", *seen, axis=3) if len(seen) > 1 else seen[0]
