# SPDX-License-Identifier: Apache-2.0
"""Activations, in the spellings in which frameworks export them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from .draft import Draft

    Activation = Callable[[Draft, str], str]


def silu(g: Draft, x: str) -> str:
    """Apply swish."""
    return g.op("Mul", x, g.op("Sigmoid", x))


def quick_gelu(g: Draft, x: str) -> str:
    """Apply swish with a beta."""
    return g.op("Mul", x, g.op("Sigmoid", g.op("Mul", x, g.floats(1.702))))


def gelu(g: Draft, x: str) -> str:
    """Apply GELU with the error function, as PyTorch exports it."""
    error = g.op("Erf", g.op("Div", x, g.floats(2**0.5)))
    return g.op("Mul", g.op("Mul", x, g.op("Add", error, g.floats(1.0))), g.floats(0.5))


def gelu_by_tanh(g: Draft, x: str) -> str:
    """Apply the approximation used by language models."""
    cubic = g.op("Add", x, g.op("Mul", g.op("Pow", x, g.floats(3.0)), g.floats(0.044715)))
    bend = g.op("Tanh", g.op("Mul", cubic, g.floats((2 / 3.141592653589793) ** 0.5)))
    return g.op("Mul", g.op("Mul", x, g.floats(0.5)), g.op("Add", bend, g.floats(1.0)))


def mish(g: Draft, x: str) -> str:
    """Apply mish as one operator or as three."""
    if g.opset >= 18 and g.chance(0.5):
        return g.op("Mish", x)
    return g.op("Mul", x, g.op("Tanh", g.op("Softplus", x)))


def hard_swish(g: Draft, x: str) -> str:
    """Apply hard swish as an operator, as a product with a hard sigmoid, or as MobileNet's sum, clip and division."""
    spelling = g.integer(0, 2)
    if spelling == 0 and g.opset >= 14:
        return g.op("HardSwish", x)
    if spelling == 1:
        return g.op("Mul", x, g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))
    clipped = g.op("Clip", g.op("Add", x, g.floats(3.0)), g.floats(0.0), g.floats(6.0))
    return g.op("Mul", x, g.op("Div", clipped, g.floats(6.0)))


def clip(g: Draft, x: str) -> str:
    """Clip as ReLU6 or with other bounds."""
    low, high = (0.0, 6.0) if g.chance(0.5) else (g.number(-1.5, 0.0), g.number(0.3, 2.0))
    return g.op("Clip", x, g.floats(low), g.floats(high))


def leaky(g: Draft, x: str) -> str:
    """Apply a leaky ReLU with one slope for all."""
    return g.op("LeakyRelu", x, alpha=g.choice((0.01, 0.1, g.number(0.02, 0.5))))


def prelu(g: Draft, x: str) -> str:
    """Apply a PReLU with a slope for each channel."""
    known = g.of(x).shape
    return g.op("PRelu", x, g.normal(known[1], *[1] * (len(known) - 2), spread=0.1, mean=0.25))


def elu(g: Draft, x: str) -> str:
    """Apply ELU with any alpha, but one per model: the compiler has only one table for all of them."""
    return g.op("Elu", x, alpha=g.alpha)


def hard_sigmoid(g: Draft, x: str) -> str:
    """Apply a hard sigmoid with ONNX's slope or PyTorch's."""
    return g.op("HardSigmoid", x, alpha=g.choice((0.2, 1 / 6)), beta=0.5)


def plain(kind: str) -> Activation:
    """Return an activation that is an operator without attributes."""
    return lambda g, x: g.op(kind, x)


FUSED: tuple[Activation, ...] = (  # those that the compiler fuses into a convolution
    *(plain(kind) for kind in ("Relu", "Relu", "Sigmoid", "Tanh", "Softplus")),
    silu,
    gelu,
    mish,
    hard_swish,
    hard_sigmoid,
    clip,
    leaky,
    prelu,
    elu,
)
