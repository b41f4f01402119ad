# SPDX-License-Identifier: Apache-2.0
"""Comparisons, choices and truth values, which are mostly converted to numbers before they leave the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto

from .elementwise import broadcast
from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft

COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


def compared(g: Draft, x: str) -> str:
    """Compare a tensor with a constant, for all or per channel; equality needs numbers that occur."""
    kind = g.choice(COMPARISONS)
    x = g.op("Round", x) if kind == "Equal" else x
    shape = g.of(x).shape
    if kind != "Equal" and g.chance(0.4):
        return g.op(kind, x, g.normal(*broadcast(g, shape)))
    return g.op(kind, x, g.floats(0.0 if kind == "Equal" else g.number(-0.5, 0.5)))


def numbers(g: Draft, truth: str) -> str:
    """Convert truth values to 0.0 and 1.0."""
    return g.op("Cast", truth, to=TensorProto.FLOAT)


@operator()
def comparison(g: Draft) -> str:
    """Draw a comparison with a constant."""
    truth = compared(g, g.source(g.shape(2, 3, 4, 5)))
    return truth if g.chance(0.2) else numbers(g, truth)


@operator()
def comparison_of_two(g: Draft) -> str:
    """Draw a comparison of two tensors."""
    shape = g.shape(2, 3, 4)
    return numbers(g, g.op(g.choice(COMPARISONS[1:]), g.source(shape), g.source(broadcast(g, shape))))


@operator()
def where(g: Draft) -> str:
    """Draw a choice by a comparison or by a constant."""
    shape = g.shape(2, 3, 4)
    x = g.source(shape)
    chosen = g.mask(*shape) if g.chance(0.3) else compared(g, x)
    other = g.floats(0.25) if g.chance(0.4) else g.op("Mul", x, g.floats(0.5))
    return g.op("Where", chosen, *g.choice(((x, other), (other, x))))


@operator()
def logic(g: Draft) -> str:
    """Draw a logical operator of one or two operands."""
    x = g.source(g.shape(2, 3, 4))
    if g.chance(0.25):
        return numbers(g, g.op("Not", compared(g, x)))
    return numbers(g, g.op(g.choice(("And", "Or", "Xor")), compared(g, x), compared(g, x)))


@operator()
def finite(g: Draft) -> str:
    """Draw a test for special numbers."""
    return numbers(g, g.op(g.choice(("IsNaN", "IsInf")), g.source(g.shape(2, 3, 4))))
