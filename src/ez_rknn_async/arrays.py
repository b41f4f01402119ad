"""From whatever holds numbers to a numpy array, without a copy where the memory can be shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import RknnError, RknnTypeError, RknnValueError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# The DLPack devices whose memory the CPU can read: the CPU itself, and host memory pinned for CUDA or ROCm.
_HOST_DEVICES = (1, 3, 11)


def as_array(value: Any, name: str) -> Array:
    """A numpy array of the value of input ``name``.

    Args:
        value: an array, anything with ``__array__`` or ``__dlpack__`` (PyTorch, JAX, CuPy ...), a number, or nested
            sequences of numbers.
        name: for the message of an error.

    Raises:
        RknnTypeError: it holds no real numbers, or lives where the CPU cannot read it.
        RknnValueError: nested sequences of different lengths.
    """
    array = value if isinstance(value, np.ndarray) else _convert(value, name)
    if array.dtype.kind not in "fiub":
        raise RknnTypeError(
            f"input {name!r} is of type {array.dtype}, which holds no real numbers; "
            f"pass any float, integer or bool array"
        )
    return array


def _convert(value: Any, name: str) -> Array:
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return _from_dlpack(value, name)
    try:
        return np.asarray(value)
    except RknnError:  # of an OrtValue
        raise
    except ValueError as error:
        raise RknnValueError(f"input {name!r} cannot be made an array: {error}") from None
    except Exception as error:  # PyTorch refuses with TypeError what is on a GPU, and others with errors of their own
        raise RknnTypeError(f"input {name!r}, a {type(value).__name__}, cannot be made an array: {error}") from error


def _from_dlpack(value: Any, name: str) -> Array:
    device, number = value.__dlpack_device__()
    if device not in _HOST_DEVICES:
        raise RknnTypeError(
            f"input {name!r} is in the memory of DLPack device ({int(device)}, {number}), which the CPU cannot read; "
            "copy it to the CPU first"
        )
    try:
        array: Array = np.from_dlpack(value)
    except Exception as error:
        raise RknnTypeError(f"input {name!r} cannot be taken over through DLPack: {error}") from error
    return array
