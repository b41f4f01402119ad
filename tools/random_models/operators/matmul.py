# SPDX-License-Identifier: Apache-2.0
"""Matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft


@operator()
def product_of_two(g: Draft) -> str:
    """Draw a product of two tensors, one of which may be the same for the whole batch."""
    rows, inner, columns = (g.integer(1, 40) for _ in range(3))
    batch = g.choice(((), (1,), (g.integer(2, 5),), (1, g.integer(1, 6)), (2, g.integer(1, 4))))
    other = tuple(1 for _ in batch) if g.chance(0.15) else batch
    y = g.op("MatMul", g.source((*batch, rows, inner)), g.source((*other, inner, columns)))
    return g.op("Mul", y, g.floats(inner**-0.5)) if g.chance(0.3) else y


@operator()
def product_with_constant(g: Draft) -> str:
    """Draw a product of any rank, at times with a bias; the constant is on either side or differs within the batch."""
    batch = g.choice(((), (1,), (1,), (g.integer(2, 4),), (1, g.integer(1, 6))))
    rows, inner, columns = g.integer(1, 40), g.channels(), g.channels()
    form = g.random.random()
    if form < 0.15:
        return g.op("MatMul", g.weight(rows, inner, fan_in=inner), g.source((*batch, inner, columns)))
    x = g.source((*batch, rows, inner))
    if form < 0.25 and batch:
        return g.op("MatMul", x, g.weight(*batch[-1:], inner, columns, fan_in=inner))
    y = g.product(x, columns, bias=g.chance(0.6))
    return g.op("Relu", y) if g.chance(0.3) else y


@operator()
def gemm(g: Draft) -> str:
    """Draw a Gemm, with either operand transposed, with factors, with a bias or without."""
    rows, inner, columns = g.choice((1, 1, g.integer(1, 20))), g.channels(), g.channels()
    turned, across = g.chance(0.15), g.chance(0.5)
    x = g.source((inner, rows) if turned else (rows, inner))
    weight = g.weight(*((columns, inner) if across else (inner, columns)), fan_in=inner)
    bias = () if g.chance(0.2) else (g.choice((g.normal(columns), g.normal(1, columns), g.normal(1))),)
    factors: dict[str, Any] = {"alpha": g.number(0.3, 1.5), "beta": g.number(0.3, 2.0)} if g.chance(0.2) else {}
    return g.op("Gemm", x, weight, *bias, transA=int(turned), transB=int(across), **factors)


@operator()
def einsum(g: Draft) -> str:
    """Draw a product of attention, written as an einsum."""
    heads, rows, depth = g.integer(1, 6), g.integer(2, 20), g.integer(2, 24)
    form = g.integer(0, 2)
    if form == 0:
        flat = g.source((1, rows, depth))
        return g.op("Einsum", flat, g.weight(depth, heads, 5, fan_in=depth), equation="bsi,ihd->bshd")
    x = g.source((1, heads, rows, depth))
    if form == 1:
        return g.op("Einsum", x, g.weight(heads, depth, 5, fan_in=depth), equation="bhqd,hde->bhqe")
    return g.op("Einsum", x, g.source((1, heads, g.integer(2, 20), depth)), equation="bhqd,bhkd->bhqk")
