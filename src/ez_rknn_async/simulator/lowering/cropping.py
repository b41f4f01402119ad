"""Negative padding, with which the compiler writes that a window begins or ends inside of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .builder import GraphBuilder


def cropped(value: str, pads: Sequence[int], to: GraphBuilder) -> str:
    """``value`` [N, C, ...] without what negative ``pads`` (all beginnings, then all ends) take away from it."""
    if min(pads, default=0) >= 0:
        return value
    taken = [min(pad, 0) for pad in pads]
    space = len(pads) // 2
    return to.add("Pad", value, to.ints([0, 0, *taken[:space], 0, 0, *taken[space:]]))


def remaining(pads: Sequence[int]) -> list[int]:
    """The padding that is left to do behind :func:`cropped`."""
    return [max(pad, 0) for pad in pads]
