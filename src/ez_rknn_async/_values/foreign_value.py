# SPDX-License-Identifier: Apache-2.0
"""Values of ONNX Runtime's own class ``OrtValue``, which bind like ours.

Their memory is shared, not copied: an output that is bound to one is written there.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from .._tensors.element_types import parse_dtype
from ..errors import RknnError, RknnTypeError
from .ort_value import OrtValue
from .storage import HostTensor, host_tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_BFLOAT16 = "tensor(bfloat16)"


def input_value(value: Any, caller: str) -> OrtValue:
    """Return a value to read from: ours, or one of ONNX Runtime's as one of ours.

    Raises:
        RknnTypeError: it is neither, or holds no numbers that the CPU can reach.
    """
    if isinstance(value, OrtValue):
        return value
    _check(value, caller)
    # numpy has no bfloat16: its numbers are copied.
    return OrtValue(host_tensor(value) if value.data_type() == _BFLOAT16 else HostTensor(_memory_of(value)))


def output_value(value: Any, caller: str) -> OrtValue:
    """Return a value to write to; see :func:`input_value`."""
    if isinstance(value, OrtValue):
        return value
    _check(value, caller)
    if value.data_type() == _BFLOAT16:
        raise RknnTypeError(f"{caller}() cannot write to a value of bfloat16; make one of float32")
    return OrtValue(HostTensor(_memory_of(value)))


def _check(value: Any, caller: str) -> None:
    if not all(hasattr(value, name) for name in ("data_ptr", "device_name", "data_type", "shape")):
        raise RknnTypeError(
            f"{caller}() takes an OrtValue, not {type(value).__name__}; make one with OrtValue.ortvalue_from_numpy()"
        )
    if value.device_name().lower() != "cpu":
        raise RknnTypeError(
            f"{caller}() was given a value on {value.device_name()!r}, which the NPU cannot reach; copy it to the CPU"
        )


def _memory_of(value: Any) -> Array:
    """Return the value's own memory as an array, which keeps the value alive."""
    try:
        dtype = parse_dtype(value.data_type())
    except RknnError as error:
        raise RknnTypeError(f"a value of type {value.data_type()} holds no numbers for the NPU: {error}") from None
    shape = tuple(value.shape())
    size = dtype.itemsize * int(np.prod(shape))
    if size == 0:
        return np.zeros(shape, dtype)
    buffer: Any = (ctypes.c_char * size).from_address(value.data_ptr())
    buffer._owner = value  # the array keeps the buffer, and so the value
    array: Array = np.frombuffer(memoryview(buffer), dtype).reshape(shape)
    return array
