# SPDX-License-Identifier: Apache-2.0
"""Pooling of images, sequences and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft


def window(g: Draft, space: int, size: tuple[int, ...]) -> dict[str, Any]:
    """Draw a kernel that fits ``size``, strides, and padding smaller than the kernel, which may differ at each side."""
    kernel = [g.integer(1, min(5, extent)) for extent in size]
    if g.chance(0.5):
        kernel = [min(kernel)] * space
    strides = [g.integer(1, 3)] * space if g.chance(0.6) else [g.integer(1, 3) for _ in range(space)]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
    if g.chance(0.15):
        return {**attributes, "auto_pad": g.choice(("SAME_UPPER", "SAME_LOWER", "VALID"))}
    if g.chance(0.5):
        sides = [extent // 2 for extent in kernel] * 2
        attributes["pads"] = sides if g.chance(0.5) else [g.integer(0, side) for side in sides]
    if g.chance(0.3):
        attributes["ceil_mode"] = 1
    return attributes


@operator()
def max_pool(g: Draft) -> str:
    """Draw a maximum of images."""
    shape = g.shape(4, least=5)
    attributes = window(g, 2, shape[2:])
    if g.chance(0.1):
        attributes["dilations"] = [2, 2]
        attributes["kernel_shape"] = [min(3, extent) for extent in attributes["kernel_shape"]]
        attributes.pop("auto_pad", None)
        attributes.pop("pads", None)
    return g.op("MaxPool", g.source(shape), **attributes)


@operator()
def average_pool(g: Draft) -> str:
    """Draw an average of images, with the padding counted or not."""
    shape = g.shape(4, least=5)
    attributes = window(g, 2, shape[2:])
    return g.op("AveragePool", g.source(shape), **attributes, count_include_pad=g.integer(0, 1))


@operator()
def pool_of_sequences(g: Draft) -> str:
    """Draw pooling in one dimension."""
    shape = g.shape(3, least=5)
    return g.op(g.choice(("AveragePool", "MaxPool")), g.source(shape), **window(g, 1, shape[2:]))


@operator()
def pool_of_volumes(g: Draft) -> str:
    """Draw pooling in three dimensions."""
    shape = (1, g.integer(1, 8), *(g.integer(4, 7) for _ in range(3)))
    kind = g.choice(("AveragePool", "MaxPool"))
    return g.op(kind, g.source(shape), kernel_shape=[2] * 3, strides=[g.integer(1, 2)] * 3)


@operator()
def global_pool(g: Draft) -> str:
    """Draw pooling of whole channels."""
    x = g.source(g.choice((g.shape(3, 4, 4), (1, g.channels(64), g.integer(7, 56), g.integer(7, 56)))))
    return g.op(g.choice(("GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool")), x)


@operator()
def norm_pool(g: Draft) -> str:
    """Draw the norm of windows or of the whole image."""
    shape = g.shape(4, least=4)
    if g.chance(0.3):
        return g.op("GlobalLpPool", g.source(shape), p=2)
    return g.op("LpPool", g.source(shape), kernel_shape=[2, 2], strides=[g.integer(1, 2)] * 2)
