# SPDX-License-Identifier: Apache-2.0
"""Packed weights of convolutions that read an image.

Where the input is stored as an image (one to four channels beside each other, not in blocks), RK3576 takes int8
weights in another order than :mod:`.weights` describes: for each group of output channels ``[kh][co][kw][4]``, with kw
padded to a multiple of four. The buffer is twice as long as that. Only its length shows this, not the native shape.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..format.elements import elements
from ..format.graph import DType, Layout

if TYPE_CHECKING:
    from ..format.file import Model
    from ..format.graph import Graph, Tensor

    Array = np.ndarray[Any, np.dtype[Any]]

_CHANNELS = 4
_KERNEL_ALIGNMENT = 4


def is_image_weight(model: Model, graph: Graph, tensor: Tensor) -> bool:
    """Check if ``tensor`` is packed for an image."""
    if tensor.dtype is not DType.INT8 or tensor.layout is not Layout.PACKED_WEIGHT:
        return False
    parts = _parts(tensor)
    if any(part[1] != 1 or part[5] != _CHANNELS for part in parts):
        return False
    return len(model.constant_bytes(graph, tensor)) == 2 * sum(map(_size, parts)) > 0


def unpack_image_weight(model: Model, graph: Graph, tensor: Tensor) -> Array:
    """Return the weight as int8 [Cout, 4, kh, kw]; the channels beyond the image's are padding."""
    parts = _parts(tensor)
    stored = elements(tensor, model.constant_bytes(graph, tensor), sum(map(_size, parts)))
    rows, position = [], 0
    for part in parts:
        blocks, _, height, width, cout, _ = part
        packed = stored[position : position + _size(part)].reshape(blocks, height, cout, _padded(width), _CHANNELS)
        planar = packed[:, :, :, :width].transpose(0, 2, 4, 1, 3)
        rows.append(planar.reshape(blocks * cout, _CHANNELS, height, width))
        position += _size(part)
    return np.concatenate(rows)


def _parts(tensor: Tensor) -> list[tuple[int, ...]]:
    native = tensor.native_shape
    parts = [tuple(native[index : index + 6]) for index in range(0, len(native) // 6 * 6, 6)]
    return [part for part in parts if 0 not in part]


def _padded(width: int) -> int:
    return -(-width // _KERNEL_ALIGNMENT) * _KERNEL_ALIGNMENT


def _size(part: tuple[int, ...]) -> int:
    blocks, _, height, width, cout, cin = part
    return math.prod((blocks, height, cout, _padded(width), cin))
