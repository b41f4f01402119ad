# SPDX-License-Identifier: Apache-2.0
"""Operators that only move numbers, or repeat them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft, Shape


def regrouped(g: Draft, shape: Shape) -> Shape:
    """Return another shape of as many elements: two axes joined, one split, or both."""
    extents = list(shape)
    if len(extents) > 2 and g.chance(0.6):
        place = g.integer(1, len(extents) - 2)
        extents[place : place + 2] = [extents[place] * extents[place + 1]]
    place = g.integer(1, len(extents) - 1) if len(extents) > 1 else 0
    divisors = [part for part in range(2, extents[place]) if extents[place] % part == 0]
    if divisors and len(extents) < 5:
        part = g.choice(divisors)
        extents[place : place + 1] = [part, extents[place] // part]
    return tuple(extents)


@operator()
def reshape(g: Draft) -> str:
    """Draw a reshape to any other rank."""
    shape = g.shape(1, 2, 3, 4, 4, 5)
    return g.reshape(g.source(shape), *regrouped(g, shape))


@operator()
def reshape_of_all(g: Draft) -> str:
    """Draw a flattening at any axis, or of the batch too."""
    shape = g.shape(2, 3, 4)
    x = g.source(shape)
    if g.chance(0.5):
        return g.op("Flatten", x, axis=g.integer(1, len(shape) - 1))
    return g.reshape(x, *g.choice(((-1,), (-1, shape[-1]), (shape[1], -1))))


@operator()
def transpose(g: Draft) -> str:
    """Draw a transpose; the batch mostly keeps its place."""
    shape = g.shape(2, 3, 4, 4, 5)
    inner = g.random.sample(range(1, len(shape)), len(shape) - 1)
    perm = [0, *inner] if g.chance(0.8) else g.random.sample(range(len(shape)), len(shape))
    return g.swapped(g.source(shape), *perm)


@operator()
def shuffle(g: Draft) -> str:
    """Draw a shuffle of grouped channels."""
    groups, each = g.integer(2, 4), g.integer(2, 6)
    _, _, *size = g.shape(4)
    x = g.reshape(g.source((1, groups * each, *size)), 1, groups, each, *size)
    return g.reshape(g.swapped(x, 0, 2, 1, 3, 4), 1, groups * each, *size)


@operator()
def windows(g: Draft) -> str:
    """Draw a cut of images into tiles, as in window attention."""
    channels, tile, rows, columns = g.integer(1, 16), g.integer(2, 4), g.integer(1, 3), g.integer(1, 3)
    x = g.reshape(g.source((1, channels, rows * tile, columns * tile)), 1, channels, rows, tile, columns, tile)
    return g.reshape(g.swapped(x, 0, 2, 4, 3, 5, 1), rows * columns, tile * tile, channels)


@operator()
def squeeze(g: Draft) -> str:
    """Draw a removal or insertion of an axis of length one."""
    shape = g.shape(2, 3, 4)
    place = g.integer(1, len(shape) - 1)
    if g.chance(0.5):
        return g.with_axes("Squeeze", g.source((*shape[:place], 1, *shape[place + 1 :])), place)
    return g.with_axes("Unsqueeze", g.source(shape), place)


@operator()
def expand(g: Draft) -> str:
    """Draw an expansion of axes of length one."""
    shape = g.shape(2, 3, 4)
    spread = [g.chance(0.5) for _ in shape]
    narrow = tuple(1 if there else extent for there, extent in zip(spread, shape))
    return g.op("Expand", g.source(narrow), g.ints(*shape))


@operator()
def tile(g: Draft) -> str:
    """Draw a repetition of all elements."""
    shape = g.shape(2, 3, 4)
    return g.op("Tile", g.source(shape), g.ints(1, *(g.integer(1, 3) for _ in shape[1:])))


@operator()
def depth_to_space(g: Draft) -> str:
    """Draw a depth-to-space of either order, or a space-to-depth."""
    block, channels = g.integer(2, 3), g.integer(1, 6)
    _, _, height, width = g.shape(4)
    if g.chance(0.4):
        return g.op("SpaceToDepth", g.source((1, channels, block * height, block * width)), blocksize=block)
    x = g.source((1, channels * block * block, height, width))
    return g.op("DepthToSpace", x, blocksize=block, mode=g.choice(("DCR", "CRD")))


@operator()
def pad(g: Draft) -> str:
    """Draw padding with a constant, by reflection or with the edge, at any axis."""
    shape = g.shape(3, 4, 4, least=4)
    mode = g.choice(("constant", "constant", "reflect", "edge"))
    starts, ends = ([0, *(g.integer(0, 3) if g.chance(0.6) else 0 for _ in shape[1:])] for _ in range(2))
    value = (g.floats(g.choice((0.0, g.number(-1.0, 1.0)))),) if mode == "constant" and g.chance(0.7) else ()
    return g.op("Pad", g.source(shape), g.ints(*starts, *ends), *value, mode=mode)


@operator()
def crop(g: Draft) -> str:
    """Draw negative padding."""
    shape = g.shape(4, least=5)
    return g.op("Pad", g.source(shape), g.ints(0, 0, -g.integer(0, 2), 0, 0, 0, 0, -g.integer(1, 2)))


@operator()
def unchanged(g: Draft) -> tuple[str, ...]:
    """Draw an operator that does nothing, on a tensor with several readers."""
    x = g.op("Relu", g.source(g.shape(2, 3, 4)))
    same = g.op(g.choice(("Identity", "Dropout")), x)
    return g.op("Sigmoid", same), g.op("Mul", same, g.constant(np.array(0.5, np.float32)))
