# SPDX-License-Identifier: Apache-2.0
"""Casts from the user's element type to one that the runtime reads; they refuse to change an integer silently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RknnValueError
from .element_types import PLAIN_INTEGERS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# The types that the runtime converts to a float16 or a quantised input by itself.
_CONVERTED = (np.dtype(np.float32), np.dtype(np.uint8), np.dtype(np.float16))
# float32 holds every integer up to here, but not every one beyond.
_EXACT = 2**24


def uncast(wanted: str) -> tuple[np.dtype[Any], ...]:
    """Return the types that :func:`cast` leaves as they are; ``wanted`` is the input's element type inside the NPU."""
    if wanted in PLAIN_INTEGERS:
        return (np.dtype(wanted),)
    return (*_CONVERTED, np.dtype(np.int8)) if wanted == "int8" else _CONVERTED


def cast(array: Array, wanted: str, name: str) -> Array:
    """Cast an array to a type that the runtime converts to ``wanted``; return the same array if it has one already.

    Args:
        array: of any real type, in any byte order.
        wanted: the element type of the input inside the NPU, by numpy's name.
        name: the input's, for the message of an error.

    Raises:
        RknnValueError: an integer would change.
    """
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype in uncast(wanted):
        return array
    if wanted in PLAIN_INTEGERS:
        return _to_integers(array, np.dtype(wanted), name)
    return _to_float32(array, name)


def _to_float32(array: Array, name: str) -> Array:
    if array.dtype.kind in "iu" and array.dtype.itemsize >= 4 and array.size:
        for value in (int(array.min()), int(array.max())):
            if abs(value) > _EXACT:
                raise RknnValueError(
                    f"input {name!r} holds the integer {value}, but reaches the NPU as float32, which is exact only up "
                    f"to 2**24; pass it as a float array if its last digits do not matter"
                )
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite, as they do on the NPU
        return array.astype(np.float32)


def _to_integers(array: Array, wanted: np.dtype[Any], name: str) -> Array:
    if wanted.kind != "b" and array.size and not np.can_cast(array.dtype, wanted, "safe"):
        limits = np.iinfo(wanted)
        lowest, highest = array.min(), array.max()  # NaN when there is one, and then neither comparison holds
        # Compared as Python's numbers: numpy would round the limits of int64 to floating point.
        if not (lowest == lowest and limits.min <= _exact(lowest) and _exact(highest) <= limits.max):
            raise RknnValueError(
                f"input {name!r} takes {wanted} values, from {limits.min} to {limits.max}, "
                f"but holds values from {lowest} to {highest}"
            )
    return array.astype(wanted, copy=False)


def _exact(value: Any) -> Any:
    return value.item()
