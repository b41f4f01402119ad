# SPDX-License-Identifier: Apache-2.0
"""Private copies of inputs, made in memory that is used again.

An input that is queued is copied, so that the caller may change the array. Large blocks of memory come fresh from the
system each time, which costs a page fault for every 4 KB: more than the copy itself.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy.typing as npt

    Array = npt.NDArray[Any]

    Free = collections.deque[Array]

# Smaller blocks are recycled by the C library.
_SMALLEST = 128 << 10
# The bytes that are kept for each kind of array, and the number of kinds: programs use one or two.
_MOST_BYTES = 16 << 20
_MOST_KINDS = 8


class StagingPool:
    """Makes copies, and gets them back when nothing reads them any more. Thread-safe, without a lock."""

    def __init__(self) -> None:
        self._free: dict[Hashable, Free] = {}

    def copy(self, array: Array) -> tuple[Array, Free | None]:
        """Copy an array, and return the copy with the place to append it to afterwards; None for small arrays."""
        if array.nbytes < _SMALLEST:
            return array.copy("K"), None
        key = array.shape, array.dtype, array.strides
        free = self._free.get(key)
        if free is None:
            if len(self._free) >= _MOST_KINDS:
                self._free.clear()
            made: Free = collections.deque(maxlen=max(1, _MOST_BYTES // array.nbytes))
            free = self._free.setdefault(key, made)
        try:
            copy = free.pop()
        except IndexError:
            copy = np.empty_like(array, subok=False)
        np.copyto(copy, array)
        return copy, free

    def clear(self) -> None:
        """Free the memory that waits to be used again."""
        self._free.clear()
