# SPDX-License-Identifier: Apache-2.0
"""Reductions, the places of extremes, and functions along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft

REDUCTIONS = ("Mean", "Mean", "Sum", "Max", "Min", "L1", "L2", "LogSumExp", "SumSquare")


@operator()
def reduction(g: Draft) -> str:
    """Draw a reduction along any axes."""
    shape, kind = g.shape(2, 3, 4, 4, 5), f"Reduce{g.choice(REDUCTIONS)}"
    places = range(1, len(shape))
    axes = sorted(g.random.sample(places, g.integer(1, len(places))))
    if g.chance(0.3):
        axes = [axis - len(shape) for axis in axes]
    return g.reduced(kind, g.source(shape), axes, keep=g.chance(0.6))


@operator()
def reduction_of_images(g: Draft) -> str:
    """Draw a reduction of height and width, or of channels, as networks have them."""
    axes = g.choice(((2, 3), (2, 3), (1,), (-1,)))
    return g.reduced(f"Reduce{g.choice(REDUCTIONS[:5])}", g.source(g.shape(4)), axes, keep=g.chance(0.6))


@operator()
def reduction_of_all(g: Draft) -> str:
    """Draw a reduction to one number."""
    return g.reduced(f"Reduce{g.choice(REDUCTIONS)}", g.source(g.shape(2, 3, 4)), None, keep=g.chance(0.6))


@operator()
def reduction_of_positive(g: Draft) -> str:
    """Draw a product, or a logarithm of sums."""
    x, kind = g.source(g.shape(3, 4)), g.choice(("ReduceProd", "ReduceLogSum"))
    x = g.positive(x) if kind == "ReduceLogSum" else g.op("Add", g.op("Mul", x, g.floats(0.1)), g.floats(1.0))
    return g.reduced(kind, x, [g.axis(x)], keep=g.chance(0.6))


@operator()
def extreme_place(g: Draft) -> str:
    """Draw the place of the largest or the smallest number."""
    x = g.source(g.shape(2, 3, 4))
    return g.op(g.choice(("ArgMax", "ArgMax", "ArgMin")), x, axis=g.axis(x), keepdims=g.integer(0, 1))


@operator()
def top_k(g: Draft) -> tuple[str, ...]:
    """Draw the largest or smallest numbers, their places, or both."""
    x = g.source(g.shape(2, 3, 4, least=3))
    axis = g.axis(x)
    count = g.integer(1, g.of(x).shape[axis])
    both = g.ops("TopK", 2, x, g.ints(count), axis=axis, largest=g.integer(0, 1), sorted=1)
    return g.choice((both, both[:1], both[1:]))


@operator()
def softmax(g: Draft) -> str:
    """Draw a softmax or similar, along any axis."""
    x = g.source(g.shape(2, 3, 4, 4, 5))
    last = g.opset < 13  # earlier opsets compute it along all axes from this one on
    return g.op(g.choice(("Softmax", "Softmax", "LogSoftmax", "Hardmax")), x, axis=-1 if last else g.axis(x))


@operator()
def cumulative_sum(g: Draft) -> str:
    """Draw running totals from either end, with or without the element itself."""
    x = g.source(g.shape(2, 3, 4))
    axis = g.constant(np.array(g.axis(x), np.int64))
    return g.op("CumSum", x, axis, exclusive=g.integer(0, 1), reverse=g.integer(0, 1))
