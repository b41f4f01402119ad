# SPDX-License-Identifier: Apache-2.0
"""Conversion of stored bytes to arrays, shared by constants and packed weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import RknnModelError
from .graph import DType

if TYPE_CHECKING:
    from .graph import Tensor

    Array = np.ndarray[Any, np.dtype[Any]]

_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.FLOAT32: np.dtype("<f4"),
    DType.UINT8: np.dtype("u1"),
    DType.INT8: np.dtype("i1"),
    DType.UINT16: np.dtype("<u2"),
    DType.INT16: np.dtype("<i2"),
    DType.INT32: np.dtype("<i4"),
    DType.INT64: np.dtype("<i8"),
    DType.BOOL: np.dtype("?"),
    DType.FLOAT16: np.dtype("<f2"),
    DType.FLOAT64: np.dtype("<f8"),
    DType.UINT32: np.dtype("<u4"),
    DType.UINT64: np.dtype("<u8"),
    DType.BFLOAT16: np.dtype("<u2"),  # as bits: numpy has no bfloat16
}


def item_size(tensor: Tensor) -> int:
    """Return the bytes of one element; refuse types that cannot be read or have no whole bytes."""
    if tensor.dtype not in _NUMPY:
        raise RknnModelError(
            f"tensor {tensor.name!r} has elements of type {tensor.dtype.name}, whose values cannot be read",
            hint="compile the model without compress_weight" if tensor.dtype is DType.OPAQUE else None,
        )
    return _NUMPY[tensor.dtype].itemsize


def elements(tensor: Tensor, data: memoryview, count: int) -> Array:
    """Return the first ``count`` elements in ``data``, a view if possible; bfloat16 as float32, int4 as int8."""
    if tensor.dtype is DType.INT4:
        return _nibbles(tensor, data, count)
    need(tensor, data, count * item_size(tensor))
    stored = np.frombuffer(data, _NUMPY[tensor.dtype], count)
    if tensor.dtype is DType.BFLOAT16:
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored


def need(tensor: Tensor, data: memoryview, size: int) -> None:
    """Check, before anything is allocated, that ``data`` has ``size`` bytes."""
    if size > len(data):
        raise RknnModelError(
            f"the model file is damaged: tensor {tensor.name!r} needs {size} bytes, but its buffer has {len(data)}"
        )


def _nibbles(tensor: Tensor, data: memoryview, count: int) -> Array:
    """Return signed 4-bit numbers, two to a byte, the low half first."""
    need(tensor, data, (count + 1) // 2)
    stored = np.frombuffer(data, np.int8, (count + 1) // 2)
    values = np.empty((len(stored), 2), np.int8)
    values[:, 0] = (stored << 4) >> 4  # int8 shifts keep the sign
    values[:, 1] = stored >> 4
    return values.reshape(-1)[:count]
