# SPDX-License-Identifier: Apache-2.0
"""Constant tensors as arrays in their logical shape.

Activations are stored in one of two ways. *Plain* is row-major over the logical shape. *NC1HWC2* has the channels in
blocks of C2, each block a *surface* of H * W pixels that is padded to a multiple of four pixels: element (n, c, h, w)
is at ``((n * C1 + c // C2) * stride + h * W + w) * C2 + c % C2``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...errors import RknnModelError
from ..format.elements import elements, item_size
from ..format.graph import DType, Layout
from .unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..format.elements import Array
    from ..format.file import Model
    from ..format.graph import Graph, Tensor

_SURFACE_ALIGNMENT = 4  # pixels
_LARGEST_BLOCK = 64  # channels that a row is padded to
_QUANTIZED = (DType.INT8, DType.UINT8, DType.INT16, DType.UINT16, DType.INT32)
_REAL = (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64, DType.BFLOAT16)


def constant(model: Model, graph: Graph, tensor: Tensor) -> Array:
    """Return the values stored for ``tensor``, in its logical shape and stored type (bfloat16 as float32).

    They are a view of the file where the layout allows it, and so read-only.
    """
    data = model.constant_bytes(graph, tensor)
    if tensor.layout is Layout.PACKED_WEIGHT:
        raise RknnModelError(f"tensor {tensor.name!r} is a packed weight: read it with unpack()")
    if tensor.layout is Layout.UNKNOWN:
        raise RknnModelError(f"tensor {tensor.name!r} is stored in a layout that is not known")
    if tensor.layout is Layout.NC1HWC2 and len(tensor.native_shape) == 5:
        return _from_nc1hwc2(tensor, data)
    return elements(tensor, data, math.prod(tensor.shape)).reshape(tensor.shape)


def real_constant(model: Model, graph: Graph, tensor: Tensor) -> Array:
    """Return the values as :func:`constant` does, but quantised and floating-point ones as real numbers in float32.

    Integers that are not quantised (indices, axes, shapes) keep their type.
    """
    values = constant(model, graph, tensor)
    quantization = tensor.quantization
    if quantization is not None and tensor.dtype in _QUANTIZED:
        if len(quantization.scale) != 1:
            raise RknnModelError(
                f"constant {tensor.name!r} has {len(quantization.scale)} scales where one was expected"
            )
        zero_point, scale = quantization.zero_point[0], quantization.scale[0]
        return ((values.astype(np.float64) - zero_point) * scale).astype(np.float32)
    return values.astype(np.float32) if tensor.dtype in _REAL else values


def _from_nc1hwc2(tensor: Tensor, data: memoryview) -> Array:
    batch, blocks, height, width, block = tensor.native_shape
    surface = height * width
    channels = _channels(tensor)
    stride = -(-surface // _SURFACE_ALIGNMENT) * _SURFACE_ALIGNMENT
    if batch * blocks * stride * block * item_size(tensor) > len(data):
        stride = surface  # not padded
    stored = elements(tensor, data, batch * blocks * stride * block)
    pixels = stored.reshape(batch, blocks, stride, block)[:, :, :surface]
    planar = pixels.transpose(0, 1, 3, 2).reshape(batch, blocks * block, surface)
    logical: Array = planar[:, :channels].reshape(tensor.shape)
    return logical


def _channels(tensor: Tensor) -> int:
    """Return the number of stored channels without the padding."""
    batch, blocks, height, width, block = tensor.native_shape
    pixels = batch * height * width
    channels, rest = divmod(math.prod(tensor.shape), pixels) if pixels else (0, 1)
    if rest or channels > blocks * block:
        raise RknnModelError(
            f"the model file is damaged: tensor {tensor.name!r} of shape {list(tensor.shape)} "
            f"cannot be stored as {list(tensor.native_shape)}"
        )
    return channels


def channels_of_batch(model: Model, graph: Graph, tensor: Tensor, shape: Sequence[int]) -> Array:
    """Return numbers for each channel of each of a batch (``shape``), whose rows are padded to whole blocks."""
    batch, channels = shape
    data = model.constant_bytes(graph, tensor)
    numbers = elements(tensor, data, len(data) // item_size(tensor))
    width, rest = divmod(numbers.size, batch)
    if rest or not channels <= width < channels + _LARGEST_BLOCK:
        raise UnsupportedFormError(
            f"the shape of its operand {tensor.name!r}, which has {numbers.size} numbers, is not known"
        )
    return numbers.reshape(batch, width)[:, :channels]
