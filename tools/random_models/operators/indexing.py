# SPDX-License-Identifier: Apache-2.0
"""Gathering, scattering, slicing and splitting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft


@operator()
def gather(g: Draft) -> str:
    """Draw a gather along any axis at constant places: one, several, or a matrix of them."""
    x = g.source(g.shape(2, 3, 4, least=2))
    axis = g.axis(x)
    extent = g.of(x).shape[axis]
    places = g.choice(((), (g.integer(1, 6),), (2, 3)))
    return g.op("Gather", x, g.integers(extent, *places), axis=axis)


@operator()
def gather_elements(g: Draft) -> str:
    """Draw a gather with a place for each element."""
    shape = g.shape(2, 3, 4, least=2)
    axis = g.integer(1, len(shape) - 1)
    return g.op("GatherElements", g.source(shape), g.integers(shape[axis], *shape), axis=axis)


@operator()
def gather_nd(g: Draft) -> str:
    """Draw a gather of parts of a tensor, by the places of their first axes."""
    shape = g.shape(3, 4, least=2)
    rows = [[0, g.integer(0, shape[1] - 1)] for _ in range(3)]
    return g.op("GatherND", g.source(shape), g.constant(np.array(rows, np.int64)))


@operator()
def scatter(g: Draft) -> str:
    """Draw a scatter that replaces parts of a tensor."""
    shape = g.shape(3, 4, least=3)
    x = g.source(shape)
    if g.chance(0.5):
        rows = np.stack([np.zeros(2, np.int64), np.array([0, shape[1] - 1])], axis=1)
        return g.op("ScatterND", x, g.constant(rows), g.normal(2, *shape[2:]))
    place = g.integer(0, shape[1] - 1)
    row = (1, 1, *shape[2:])
    return g.op("ScatterElements", x, g.constant(np.full(row, place, np.int64)), g.normal(*row), axis=1)


@operator()
def slice_(g: Draft) -> str:
    """Draw a slice along one axis or two, with steps, or backwards."""
    shape = g.shape(2, 3, 4, 4, 5, least=3)
    count = g.integer(1, min(2, len(shape) - 1))
    axes = sorted(g.random.sample(range(1, len(shape)), count))
    starts, ends, steps = [], [], []
    for axis in axes:
        start = g.integer(0, shape[axis] - 2)
        starts.append(start)
        ends.append(g.choice((g.integer(start + 1, shape[axis]), -1, 2**31 - 1)))
        steps.append(g.choice((1, 1, 1, 2, 3)))
    if g.chance(0.15):
        starts, ends, steps = [-1] * count, [-(2**31)] * count, [-1] * count
    return g.op("Slice", g.source(shape), *(g.ints(*bounds) for bounds in (starts, ends, axes, steps)))


@operator()
def split(g: Draft) -> tuple[str, ...]:
    """Draw a split into parts of any sizes, some of which go through another operator."""
    shape = g.shape(2, 3, 4, 4, least=4)
    axis, count = g.integer(1, len(shape) - 1), g.integer(2, 3)
    cuts = sorted(g.random.sample(range(1, shape[axis]), count - 1))
    sizes = [end - start for start, end in zip([0, *cuts], [*cuts, shape[axis]])]
    parts = g.parts(g.source(shape), axis, sizes)
    return tuple(g.op(g.choice(("Relu", "Sigmoid")), part) if g.chance(0.5) else part for part in parts)


@operator()
def gated_halves(g: Draft) -> str:
    """Draw a gated linear unit: a split into two halves, one of which gates the other."""
    shape = g.shape(3, 4)
    axis = g.integer(1, len(shape) - 1)
    shape = (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])
    left, right = g.parts(g.source(shape), axis, [shape[axis] // 2] * 2)
    return g.op("Mul", left, g.op("Sigmoid", right))


@operator()
def concatenation(g: Draft) -> str:
    """Draw a concatenation of two to four tensors, computed or constant, along any axis."""
    shape = g.shape(2, 3, 4, 4, 5)
    axis = g.integer(1, len(shape) - 1)
    parts = [g.source(shape)]
    for _ in range(g.integer(1, 3)):
        extent = g.integer(1, 20)
        other = (*shape[:axis], extent, *shape[axis + 1 :])
        parts.append(g.operand(other) if g.chance(0.6) else g.op("Relu", parts[0]))
    return g.op("Concat", *parts, axis=axis - len(shape) if g.chance(0.3) else axis)


@operator(since=14)
def triangle(g: Draft) -> str:
    """Draw the upper or the lower triangle of matrices."""
    return g.op("Trilu", g.source(g.shape(3, 4, least=2)), upper=g.integer(0, 1))


@operator()
def reversed_sequence(g: Draft) -> str:
    """Draw a reversal of the first steps."""
    steps = g.integer(3, 10)
    x = g.source((steps, 1, g.integer(2, 12)))
    return g.op("ReverseSequence", x, g.ints(g.integer(2, steps)), time_axis=0, batch_axis=1)
