# SPDX-License-Identifier: Apache-2.0
"""Packed convolution weights as plain arrays.

A packed weight is a row of blocks, described by the native shape: one *part* ``[Nco, Nci, kh, kw, co, ci]`` after the
other. Consecutive parts with the same ``(Nco, co)`` form a *group* of output channels: its parts divide the input
channels (blocks of 32, then the rest). The data has, for each group, for each of its Nco blocks, for each part,
an array ``[Nci][kh][kw][co][ci]``.

The numbers are as stored: quantised weights are not dequantised, and the padding of channels is kept, with arbitrary
content. The caller, who knows the operator, cuts them to the logical shape.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import RknnModelError
from ..format.elements import elements, item_size, need
from ..format.graph import DType, Layout

if TYPE_CHECKING:
    from ..format.elements import Array
    from ..format.file import Model
    from ..format.graph import Graph, Tensor


class _Part(NamedTuple):
    cout_blocks: int
    cin_blocks: int
    height: int
    width: int
    cout: int
    cin: int


def unpack(model: Model, graph: Graph, tensor: Tensor) -> Array:
    """Return the packed weight ``tensor`` as an array ``[Cout, Cin, kh, kw]``, padding channels included.

    The type is the stored one, except bfloat16 (float32) and 4-bit numbers (int8). Depthwise weights are
    ``[1, C, kh, kw]``. The kernel of a transposed convolution stays rotated by 180 degrees, as stored.
    """
    parts = _parts(tensor)
    return _unpack(tensor, parts, elements(tensor, model.constant_bytes(graph, tensor), _count(parts)))


def unpack_batch(model: Model, graph: Graph, tensor: Tensor, batch: int) -> Array:
    """Return a matrix product's weights, one for each element of a batch: ``[batch, Cout, Cin, kh, kw]``.

    They follow each other at equal distances; the padding after each is not in the native shape.
    """
    parts = _parts(tensor)
    count = _count(parts)
    data = model.constant_bytes(graph, tensor)
    stride = len(data) // (batch * item_size(tensor)) * item_size(tensor)
    need(tensor, data, batch * count * item_size(tensor))
    starts = (place * stride for place in range(batch))
    return np.stack([_unpack(tensor, parts, elements(tensor, data[start:], count)) for start in starts])


def unpack_sections(model: Model, graph: Graph, tensor: Tensor, count: int) -> Array | None:
    """Return a weight of ``count`` matrices, each ending with a smaller block: ``[count, Cout, Cin, kh, kw]``.

    Compilers before 2.3.2 store the gates of a recurrent layer like that. Returns None if there are no smaller blocks:
    then the order is that of :func:`unpack`.
    """
    parts = _parts(tensor)
    if len({part.cout for part in parts}) == 1 or any(part.cout_blocks % count for part in parts):
        return None
    section = [part._replace(cout_blocks=part.cout_blocks // count) for part in parts]
    stored = elements(tensor, model.constant_bytes(graph, tensor), _count(parts)).reshape(count, -1)
    return np.stack([_unpack(tensor, section, numbers) for numbers in stored])


def unpack_depthwise_with_zero_points(model: Model, graph: Graph, tensor: Tensor) -> tuple[Array, Array]:
    """Return an int8 depthwise weight of RK3562 or RK3576, ``[1, C, kh, kw]``, and minus each channel's zero point.

    These SoCs keep ``w0 w1 z0 z1 w2 w3 z2 z3 ...`` in a buffer of twice the size. The second array is int16, because
    a stored -128 stands for +128; add its values, as returned, to the weights.
    """
    parts = _parts(tensor)
    if tensor.dtype is not DType.INT8:
        raise RknnModelError(f"weight {tensor.name!r} has no zero points beside it: it is {tensor.dtype.name}")
    count = _count(parts)
    # Twice as many bytes, in whole groups of four; a single channel still has a whole group.
    pairs = elements(tensor, model.constant_bytes(graph, tensor), -(-count // 2) * 4).reshape(-1, 2, 2)
    weights = _unpack(tensor, parts, pairs[:, 0].reshape(-1)[:count])
    stored = _unpack(tensor, parts, pairs[:, 1].reshape(-1)[:count])[0, :, 0, 0].astype(np.int16)
    return weights, np.where(stored == -128, np.int16(128), stored)


def has_zero_points(model: Model, graph: Graph, tensor: Tensor) -> bool:
    """Check if ``tensor`` is stored as :func:`unpack_depthwise_with_zero_points` reads it."""
    if tensor.dtype is not DType.INT8 or tensor.layout is not Layout.PACKED_WEIGHT:
        return False
    parts = _parts(tensor)
    return parts[0].cout == 1 and len(model.constant_bytes(graph, tensor)) == 2 * _count(parts)


def _parts(tensor: Tensor) -> list[_Part]:
    native = tensor.native_shape
    if tensor.layout is not Layout.PACKED_WEIGHT or not native or len(native) % 6:
        raise RknnModelError(
            f"tensor {tensor.name!r} is not a packed weight: it is {tensor.layout.name}, stored as {list(native[:12])}",
            hint="compile the model without compress_weight" if tensor.dtype is DType.OPAQUE else None,
        )
    parts = [_Part(*native[index : index + 6]) for index in range(0, len(native), 6)]
    parts = [part for part in parts if min(part) > 0]  # an absent remainder
    if not parts or len({(part.height, part.width) for part in parts}) != 1:
        raise RknnModelError(f"the model file is damaged: weight {tensor.name!r} has kernels of different sizes")
    return parts


def _count(parts: list[_Part]) -> int:
    return sum(math.prod(part) for part in parts)


def _unpack(tensor: Tensor, parts: list[_Part], stored: Array) -> Array:
    rows = []
    position = 0
    for (blocks, _), members in groupby(parts, key=lambda part: (part.cout_blocks, part.cout)):
        group = list(members)
        size = _count(group)
        rows.append(_unpack_group(group, stored[position : position + size].reshape(blocks, -1)))
        position += size
    if len({row.shape[1] for row in rows}) != 1:
        raise RknnModelError(f"the model file is damaged: weight {tensor.name!r} has rows of different lengths")
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def _unpack_group(group: list[_Part], blocks: Array) -> Array:
    """Unpack one group of output channels from ``blocks``, which has one row for each of their blocks."""
    columns = []
    position = 0
    for part in group:
        size = math.prod(part[1:])
        packed = blocks[:, position : position + size].reshape(part)
        planar = packed.transpose(0, 4, 1, 5, 2, 3)  # block, cout, part's block, cin, y, x
        columns.append(
            planar.reshape(part.cout_blocks * part.cout, part.cin_blocks * part.cin, part.height, part.width)
        )
        position += size
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
