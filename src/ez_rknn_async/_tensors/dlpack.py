# SPDX-License-Identifier: Apache-2.0
"""Arrays through DLPack of an element type that numpy cannot import: bfloat16.

A producer hands out a capsule with a ``DLManagedTensor``; its numbers are copied at once, and the capsule, never
consumed, frees it.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_BFLOAT = 4  # DLDataTypeCode
_NAME = b"dltensor"


class _DataType(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    """``DLTensor``, the first member of a ``DLManagedTensor``."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("dtype", _DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


def bfloat16_numbers(value: Any) -> Array | None:
    """Return the numbers of a bfloat16 tensor in the CPU's memory as float32; None for a tensor of another type."""
    capsule = value.__dlpack__()
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    tensor = _Tensor.from_address(get(capsule, _NAME))
    if (tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes) != (_BFLOAT, 16, 1):
        return None
    shape = tuple(tensor.shape[axis] for axis in range(tensor.ndim))
    if 0 in shape:
        return np.zeros(shape, np.float32)
    strides = tuple(tensor.strides[axis] for axis in range(tensor.ndim)) if tensor.strides else _dense(shape)
    reach = 1 + sum((extent - 1) * stride for extent, stride in zip(shape, strides))
    memory = (ctypes.c_uint16 * reach).from_address(tensor.data + tensor.byte_offset)
    bits = np.lib.stride_tricks.as_strided(np.frombuffer(memory, np.uint16), shape, [2 * stride for stride in strides])
    return widened(bits)


def widened(bits: Array) -> Array:
    """Widen bfloat16 numbers, given as uint16, to float32: exactly, as they are float32's upper half."""
    numbers: Array = (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return numbers


def _dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1]
    for extent in reversed(shape[1:]):
        strides.insert(0, strides[0] * extent)
    return tuple(strides[: len(shape)])
