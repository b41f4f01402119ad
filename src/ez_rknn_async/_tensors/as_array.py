# SPDX-License-Identifier: Apache-2.0
"""Conversion of whatever holds numbers to a numpy array, without a copy where the memory can be shared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .._messages.wording import shown
from ..errors import RknnError, RknnTypeError, RknnValueError
from .dlpack import bfloat16_numbers

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# The DLPack devices whose memory the CPU can read: the CPU itself, and host memory pinned for CUDA or ROCm.
_HOST_DEVICES = (1, 3, 11)


def as_array(value: Any, name: str, kind: str = "input") -> Array:
    """Convert the value of input ``name`` to a numpy array.

    Args:
        value: an array, anything with ``__array__`` or ``__dlpack__`` (PyTorch, JAX, CuPy ...), a number, or nested
            sequences of numbers. Types that numpy lacks, bfloat16 and float8, become float32, which is exact.
        name: the name in the message of an error.
        kind: the noun before the name, likewise.

    Raises:
        RknnTypeError: it holds no real numbers, or lives where the CPU cannot read it.
        RknnValueError: nested sequences of different lengths.
    """
    array = value if isinstance(value, np.ndarray) else _convert(value, name, kind)
    if array.dtype.kind not in "fiub":
        if _is_extension(array.dtype):
            return array.astype(np.float32)
        raise RknnTypeError(
            f"{kind} {name!r} is of type {array.dtype}, which holds no real numbers; "
            f"pass any float, integer or bool array"
        )
    return array


def _is_extension(dtype: np.dtype[Any]) -> bool:
    """Check if it is one of the small real types that ml_dtypes adds to numpy."""
    return dtype.kind == "V" and not issubclass(dtype.type, np.void)


def _convert(value: Any, name: str, kind: str) -> Array:
    if value is None:
        raise RknnTypeError(f"{kind} {name!r} is None; pass an array")
    if isinstance(value, (str, bytes, os.PathLike)):
        raise RknnTypeError(f"{kind} {name!r} is {shown(value)}, which is no array; read the file and pass its numbers")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return _from_dlpack(value, name, kind)
    try:
        return np.asarray(value)
    except RknnError:  # of an OrtValue
        raise
    except ValueError as error:
        raise RknnValueError(f"{kind} {name!r} cannot be made an array: {error}") from None
    except Exception as error:  # PyTorch refuses with TypeError what is on a GPU, and others with errors of their own
        numbers = _bfloat16(value)
        if numbers is not None:
            return numbers
        raise RknnTypeError(f"{kind} {name!r}, a {type(value).__name__}, cannot be made an array: {error}") from error


def _from_dlpack(value: Any, name: str, kind: str) -> Array:
    device, number = value.__dlpack_device__()
    if device not in _HOST_DEVICES:
        raise RknnTypeError(
            f"{kind} {name!r} is in the memory of DLPack device ({int(device)}, {number}), which the CPU cannot read; "
            "copy it to the CPU first"
        )
    try:
        array: Array = np.from_dlpack(value)
    except Exception as error:
        numbers = _bfloat16(value)
        if numbers is not None:
            return numbers
        raise RknnTypeError(f"{kind} {name!r} cannot be taken over through DLPack: {error}") from error
    return array


def _bfloat16(value: Any) -> Array | None:
    """Return the numbers of a bfloat16 tensor that numpy refuses; None for anything else."""
    if not hasattr(value, "__dlpack__"):
        return None
    try:
        device, _ = value.__dlpack_device__()
        return bfloat16_numbers(value) if device in _HOST_DEVICES else None
    except Exception:  # the caller reports why numpy refuses it
        return None
