# SPDX-License-Identifier: Apache-2.0
"""Functions of one element, and of pairs of elements with every broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import activations
from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft, Shape

ANY_RANK = (1, 2, 3, 4, 4, 4, 5)
ANYWHERE = ("Abs", "Asinh", "Atan", "Ceil", "Cos", "Erf", "Exp", "Floor", "Neg", "Round", "Sign", "Sin", "Softsign")


@operator()
def anywhere(g: Draft) -> str:
    """Draw a function that is defined for all numbers."""
    return g.op(g.choice(ANYWHERE), g.source(g.shape(*ANY_RANK)))


@operator()
def activation(g: Draft) -> str:
    """Draw an activation, alone or after another operator."""
    x = g.source(g.shape(*ANY_RANK[1:]))
    x = g.op("Add", x, x) if g.chance(0.3) else x
    return g.choice((*activations.FUSED, activations.quick_gelu, activations.gelu_by_tanh))(g, x)


@operator()
def rare_activation(g: Draft) -> str:
    """Draw an activation that the compiler decomposes or leaves to the CPU."""
    x = g.source(g.shape(*ANY_RANK))
    kind = g.choice(("Selu", "Celu", "ThresholdedRelu", "Shrink", "Elu"))
    named: dict[str, dict[str, Any]] = {
        "Celu": {"alpha": 0.7},
        "ThresholdedRelu": {"alpha": 0.3},
        "Shrink": {"lambd": 0.5, "bias": 0.1},
    }
    return g.op(kind, x, **named.get(kind, {}))


@operator()
def bounded(g: Draft) -> str:
    """Draw a function that is defined for some numbers only."""
    x, kind = g.source(g.shape(*ANY_RANK)), g.choice(("Log", "Sqrt", "Reciprocal", "Acosh", "Acos", "Asin", "Atanh"))
    if kind in ("Acos", "Asin", "Atanh"):
        return g.op(kind, g.op("Mul", g.op("Tanh", x), g.floats(0.9)))
    return g.op(kind, g.positive(x, 1.1 if kind == "Acosh" else 0.5))


@operator()
def steep(g: Draft) -> str:
    """Draw a function that grows fast, of numbers near zero."""
    x = g.op("Mul", g.source(g.shape(*ANY_RANK)), g.floats(0.3))
    return g.op(g.choice(("Cosh", "Sinh", "Tan", "Exp")), x)


@operator()
def one_sided_clip(g: Draft) -> str:
    """Draw a clip with one bound or both."""
    x, low, high = g.source(g.shape(*ANY_RANK)), g.number(-1.0, 0.2), g.number(0.3, 1.5)
    bounds = g.choice(((g.floats(low),), ("", g.floats(high)), (g.floats(low), g.floats(high))))
    return g.op("Clip", x, *bounds)


@operator()
def power(g: Draft) -> str:
    """Draw a power with a constant exponent."""
    x, exponent = g.source(g.shape(*ANY_RANK)), g.choice((2.0, 2.0, 3.0, 0.5, -1.0, -0.5, 1.7))
    return g.op("Pow", x if exponent in (2.0, 3.0) else g.positive(x), g.floats(exponent))


@operator()
def slopes(g: Draft) -> str:
    """Draw a PReLU with one slope, one per channel, or one per element."""
    shape = g.shape(2, 3, 4)
    slope = g.choice(((1,), (shape[1], *[1] * (len(shape) - 2)), shape[1:]))
    return g.op("PRelu", g.source(shape), g.normal(*slope, spread=0.1, mean=0.25))


@operator()
def binary(g: Draft) -> str:
    """Draw an operator of two tensors or a tensor and a constant, one of which may be broadcast along any axes."""
    shape = g.shape(*ANY_RANK)
    kind = g.choice(("Add", "Sub", "Mul", "Div", "Max", "Min"))
    return pair(g, kind, shape, broadcast(g, shape))


@operator()
def binary_of_channels(g: Draft) -> str:
    """Draw an operator of an image and a number per channel, per place or for all, as networks have them."""
    shape = g.shape(4)
    other = g.choice(((1, shape[1], 1, 1), (shape[1], 1, 1), (1, 1, *shape[2:]), (), (1,), (shape[3],)))
    return pair(g, g.choice(("Add", "Sub", "Mul", "Div")), shape, other)


@operator()
def crossed(g: Draft) -> str:
    """Draw an operator of two tensors that are both broadcast, along different axes."""
    shape = g.shape(2, 3, 4)
    along = [g.chance(0.5) for _ in shape[1:]]
    left = (shape[0], *(1 if there else extent for there, extent in zip(along, shape[1:])))
    right = (shape[0], *(extent if there else 1 for there, extent in zip(along, shape[1:])))
    return g.op(g.choice(("Add", "Mul", "Sub")), g.source(left), g.source(right))


@operator()
def powers(g: Draft) -> str:
    """Draw a power of two tensors."""
    shape = g.shape(2, 3, 4)
    return g.op("Pow", g.positive(g.source(shape)), g.operand(broadcast(g, shape)))


@operator()
def several(g: Draft) -> str:
    """Draw an operator of any number of operands."""
    shape = g.shape(2, 3, 4)
    x = g.source(shape)
    others = [g.op(g.choice(("Relu", "Sigmoid", "Tanh", "Neg")), x) for _ in range(g.integer(1, 3))]
    return g.op(g.choice(("Sum", "Mean", "Max", "Min")), x, *others)


@operator()
def remainder(g: Draft) -> str:
    """Draw a remainder of a division by a constant."""
    return g.op("Mod", g.source(g.shape(2, 3, 4)), g.floats(g.number(0.4, 1.0)), fmod=1)


def pair(g: Draft, kind: str, shape: Shape, other: Shape) -> str:
    """Add an operator of two tensors of these shapes, in either order."""
    if kind == "Div":
        return g.op(kind, g.source(shape), g.operand(other, positive=True))
    operands = [g.source(shape), g.operand(other)]
    if g.chance(0.3):
        operands.reverse()
    return g.op(kind, *operands)


def broadcast(g: Draft, shape: Shape) -> Shape:
    """Draw a shape that can be broadcast to ``shape``: the same in a third of the cases."""
    if g.chance(0.33):
        return shape
    kept = tuple(extent if g.chance(0.5) else 1 for extent in shape)
    return kept[g.integer(0, len(kept) - 1) :] if g.chance(0.4) else kept
