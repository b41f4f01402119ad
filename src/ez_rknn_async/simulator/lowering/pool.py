"""Weights that several graphs have in common.

A dynamic model has a graph for each set of input shapes, and all of them have the same weights.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Pool:
    """Arrays by what is in them."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[str, tuple[int, ...], bytes], NDArray[Any]] = {}

    def shared(self, array: NDArray[Any]) -> NDArray[Any]:
        """The first array that was given with this type, shape and content; ``array`` is contiguous."""
        return self._arrays.setdefault((array.dtype.str, array.shape, blake2b(array.data).digest()), array)
