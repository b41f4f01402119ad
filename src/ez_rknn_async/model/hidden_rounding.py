"""Roundings that the file does not mention.

The compiler fuses every activation behind its convolution, but its own simulator does not: it computes some pairs as
two operators, with an int8 tensor between them. That tensor is not in the file any more. Its scale was chosen for the
span of values that calibration met there, and the file has the span of what the activation made of them: where the
activation can be undone, so can its effect on the span.

Which pairs these are was found out by looking at the official simulator's intermediate results: all activations behind
a transposed convolution, and those of :data:`SEPARATE` behind a depthwise one. What cannot be undone is computed
without the rounding: ReLUs, sigmoids and softplus, whose span is widened to zero and has lost one end; swish and its
kin where values beyond their lowest point have been met; products with another tensor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Callable

from .graph import DType
from .stages import Activation, Rounding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .graph import Graph, Tensor
    from .stages import Stage

    Function = Callable[[float], float]

SEPARATE = ("LeakyRelu", "Tanh", "Swish", "HardSwish", "Gelu", "Mish")  # behind a depthwise convolution

_TANH_LIMIT = 3.2  # the compiler leaves out what is further from zero: tanh hardly changes there
_LEVELS = 255
_LOWEST = -128


def _swish(x: float) -> float:
    return x / (1 + math.exp(-x))


def _hard_swish(x: float) -> float:
    return x * min(max(x / 6 + 0.5, 0.0), 1.0)


def _gelu(x: float) -> float:
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def _mish(x: float) -> float:
    return x * math.tanh(math.log1p(math.exp(min(x, 40.0))))


# Functions that fall and then rise: where they are lowest. Only the part that rises can be undone.
_RISING: dict[str, tuple[Function, float]] = {
    "Swish": (_swish, -1.27846454),
    "HardSwish": (_hard_swish, -1.5),
    "Gelu": (_gelu, -0.75179162),
    "Mish": (_mish, -1.19240671),
}


def hidden_rounding(
    graph: Graph, stages: Sequence[Stage], result: Tensor, depthwise: bool, transposed: bool
) -> Rounding | None:
    """The rounding in front of the only stage, if there is one and it can be told from ``result``."""
    if len(stages) != 1 or result.dtype is not DType.INT8 or result.quantization is None:
        return None
    stage, span = stages[0], result.quantization.span
    if not isinstance(stage, Activation) or span is None:
        return None
    if not transposed and not (depthwise and stage.function in SEPARATE):
        return None
    # In front of a maximum the span is that of the maxima.
    if any(node.op == "MaxPool" and result.index in node.inputs for node in graph.nodes):
        return None
    low, high = (_undone(stage, end) for end in span)
    if low is None or high is None or not high - low > 1e-30:
        return None
    scale = (high - low) / _LEVELS
    return Rounding(scale, round(_LOWEST - low / scale))


def _undone(activation: Activation, value: float) -> float | None:
    """The argument for which the activation is ``value``; None where that is not certain."""
    if activation.function == "LeakyRelu":
        slope = activation.parameters["alpha"]
        return value if value >= 0 else value / slope if slope > 0 else None
    if activation.function == "Tanh":
        return math.copysign(_TANH_LIMIT, value) if abs(value) >= math.tanh(_TANH_LIMIT) else math.atanh(value)
    if activation.function == "Elu":
        alpha = activation.parameters["alpha"]
        return value if value >= 0 else math.log1p(value / alpha) if -alpha < value else None
    if activation.function in _RISING:
        return _solved(*_RISING[activation.function], value)
    return None


def _solved(function: Function, lowest: float, value: float) -> float | None:
    """By halving the interval in which the function rises."""
    least = function(lowest)
    if value < least * (1 - 1e-4):  # so near to the lowest point that the other side may have been met
        return None
    low, high = lowest, max(value, 0.0) + 4.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < value else (low, middle)
    return high
