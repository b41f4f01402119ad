# SPDX-License-Identifier: Apache-2.0
"""Weights that several graphs have in common.

A dynamic model has a graph for each set of input shapes, and all of them have the same weights, both as stored and
after ONNX Runtime's optimisers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Pool:
    """Arrays by content, as long as they are used elsewhere."""

    def __init__(self) -> None:
        self._arrays: WeakValueDictionary[tuple[str, tuple[int, ...], bytes], NDArray[Any]] = WeakValueDictionary()

    def shared(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the first array given with this type, shape and content; ``array`` is contiguous."""
        return self._arrays.setdefault((array.dtype.str, array.shape, blake2b(array.data).digest()), array)
