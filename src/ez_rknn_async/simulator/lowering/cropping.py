# SPDX-License-Identifier: Apache-2.0
"""Negative padding, the compiler's notation for a window that begins or ends inside the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .builder import GraphBuilder


def cropped(value: str, pads: Sequence[int], to: GraphBuilder) -> str:
    """Crop ``value`` [N, C, ...] by the negative ``pads`` (all beginnings, then all ends)."""
    if min(pads, default=0) >= 0:
        return value
    taken = [min(pad, 0) for pad in pads]
    space = len(pads) // 2
    return to.add("Pad", value, to.ints([0, 0, *taken[:space], 0, 0, *taken[space:]]))


def remaining(pads: Sequence[int]) -> list[int]:
    """Return the padding that remains to be done after :func:`cropped`."""
    return [max(pad, 0) for pad in pads]
