# SPDX-License-Identifier: Apache-2.0
"""Roundings that the file does not mention.

The compiler fuses every activation into its convolution, but its own simulator does not: it computes some pairs as
two operators, with an int8 tensor between them. That tensor is not in the file any more. Its scale was chosen for the
span of values that calibration met there, and the file has the span of the activation's results: where the activation
can be inverted, so can its effect on the span.

The official simulator's intermediate results show which pairs these are: all activations after a transposed
convolution, those of :data:`SEPARATE` after a depthwise one, and a hard sigmoid after any.

The compiler cuts the span at an activation's :func:`_limits`, beyond which the activation hardly changes or not at all.
A lost end is therefore known where it is certain to be beyond the limit; its likely reach follows from the other end
and from the sums that the weights can make of the input. The rounding is left out where it cannot be determined:
softplus, whose span is widened to zero and has lost its lower end; swish and its kin where values beyond their lowest
point have been met; products with another tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from ..format.graph import DType
from .stages import Activation, Rounding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..format.file import Model
    from ..format.graph import Graph, Tensor
    from .stages import Stage

    Function = Callable[[float], float]
    Span = tuple[float, float]

# The activations that are separate after a depthwise convolution, and after any.
SEPARATE = ("LeakyRelu", "Tanh", "Swish", "HardSwish", "Gelu", "Mish", "Sigmoid", "HardSigmoid")
ALWAYS_SEPARATE = ("HardSigmoid",)

# Before these operators the span is that of their results: of the maxima, of the values that are not cut off.
_CUT_BELOW = {"MaxPool", "Relu", "Clip"}
_CUT_ABOVE = {"Clip"}

_MARGIN = 1.1  # a lost end must be likely to reach this many times further than the limit
_SATURATED = 20.0  # an argument beyond every limit: of a saturated function nothing more is known
_NEARLY_MINUS_ONE = -1 + 1e-6  # the least result near -1 that can be inverted
_LEAST_VALUES = 25.0  # expected, at least, between a function's lowest point and the value nearest to it
_PRECISION = 2.0**-21  # of results in float32, near a function's lowest point
_LEVELS = 255
_LOWEST = -128


@dataclass(frozen=True)
class Convolved:
    """The convolution before the activations."""

    depthwise: bool
    transposed: bool
    reach: Span  # the least and the largest sum that its weights can make of the input's span


def _swish(x: float) -> float:
    return x / (1 + math.exp(-x))


def _hard_swish(x: float) -> float:
    return x * min(max(x / 6 + 0.5, 0.0), 1.0)


def _gelu(x: float) -> float:
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def _mish(x: float) -> float:
    return x * math.tanh(math.log1p(math.exp(min(x, 40.0))))


# Functions that fall and then rise, and their lowest point. Only the rising part can be inverted.
_RISING: dict[str, tuple[Function, float]] = {
    "Swish": (_swish, -1.27846454),
    "HardSwish": (_hard_swish, -1.5),
    "Gelu": (_gelu, -0.75179162),
    "Mish": (_mish, -1.19240671),
}


def hidden_rounding(graph: Graph, stages: Sequence[Stage], result: Tensor, convolved: Convolved) -> Rounding | None:
    """Return the rounding before the only stage, if there is one and ``result`` determines it."""
    if not stages or result.dtype is not DType.INT8 or result.quantization is None:
        return None
    stage, span = stages[0], result.quantization.span
    if span is None or not is_separate(stages, convolved.depthwise, convolved.transposed):
        return None
    assert isinstance(stage, Activation)
    users = {node.op for node in graph.nodes if result.index in node.inputs}
    low, high = (
        None if users & cutting else _inverse(stage, end, math.prod(result.shape))
        for end, cutting in zip(span, (_CUT_BELOW, _CUT_ABOVE))
    )
    least, largest = _limits(stage)
    if low is None and high is not None and _is_beyond(least, high, convolved.reach):
        low = least
    if low is None or high is None:
        return None
    low, high = max(low, least), min(high, largest)
    if not high - low > 1e-30:
        return None
    scale = (high - low) / _LEVELS
    return Rounding(scale, round(_LOWEST - low / scale))


def is_separate(stages: Sequence[Stage], depthwise: bool, transposed: bool) -> bool:
    """Check if the only stage is an activation that the official simulator computes as a separate operator."""
    if len(stages) != 1 or not isinstance(stages[0], Activation):
        return False
    function = stages[0].function
    return transposed or function in ALWAYS_SEPARATE or (depthwise and function in SEPARATE)


def spans_are_extremes(model: Model, graph: Graph) -> bool:
    """Check if scales were chosen for the least and the largest value met, and not for less (``mmse``).

    The file records the values met at inputs and outputs. One that agrees is enough: the span of an input can be that
    of the first operator's result.
    """
    table = model.attributes.get("quant_tab")
    compared = [
        _covers(tensor.quantization.span, met)
        for index in (*graph.inputs, *graph.outputs)
        if (tensor := graph.tensors[index]).quantization is not None
        and tensor.quantization.span is not None
        and isinstance(table, dict)
        and isinstance(met := table.get(tensor.name), dict)
    ]
    return any(compared) or not compared


def _covers(span: Span, met: Mapping[str, Any]) -> bool:
    """Check if ``span`` goes from the least to the largest value that was met, widened to include zero."""
    try:
        (least,), (largest,) = met["min"], met["max"]
        misses = abs(min(least, 0.0) - span[0]), abs(max(largest, 0.0) - span[1])
    except (LookupError, TypeError, ValueError):  # an unknown form
        return False
    return bool(max(misses) <= 1e-3 * (span[1] - span[0]))


def _limits(activation: Activation) -> Span:
    """Return the limits at which the compiler cuts the span of the activation's argument."""
    if activation.function == "Tanh":
        return -3.2, 3.2
    if activation.function == "Sigmoid":
        return -7.0, 7.0
    if activation.function == "HardSwish":
        return -3.0, math.inf
    if activation.function == "HardSigmoid":
        alpha, beta = activation.parameters["alpha"], activation.parameters["beta"]
        return -beta / alpha, (1 - beta) / alpha
    return -math.inf, math.inf


def _is_beyond(limit: float, high: float, reach: Span) -> bool:
    """Check if calibration met values below ``limit``, given that the largest was ``high``.

    It assumes that the least and the largest value are the same share of the sums that the weights can make.
    """
    least, largest = reach
    return high > 0 > least and largest > 0 and high / largest * least < _MARGIN * limit


def _inverse(activation: Activation, value: float, count: int) -> float | None:
    """Return the argument at which the activation is ``value``, an end of ``count`` values; None if not certain."""
    if activation.function == "LeakyRelu":
        slope = activation.parameters["alpha"]
        if slope <= 0:  # -1: an absolute value
            return None
        return value if value >= 0 else value / slope
    if activation.function == "Tanh":
        return math.copysign(_SATURATED, value) if abs(value) >= 1 else math.atanh(value)
    if activation.function == "Elu":
        alpha = activation.parameters["alpha"]
        return value if value >= 0 else math.log1p(value / alpha) if value / alpha > _NEARLY_MINUS_ONE else None
    # The spans of these are widened to zero.
    if activation.function == "Sigmoid":
        return None if value <= 0 else _SATURATED if value >= 1 else math.log(value / (1 - value))
    if activation.function == "HardSigmoid":
        alpha, beta = activation.parameters["alpha"], activation.parameters["beta"]
        return None if value <= 0 else _SATURATED if value >= 1 else (value - beta) / alpha
    if activation.function in _RISING:
        beta = activation.parameters.get("beta", 1.0)
        solved = _bisected(*_RISING[activation.function], value * beta, count)
        return None if solved is None else solved / beta
    return None


def _bisected(function: Function, lowest: float, value: float, count: int) -> float | None:
    """Invert the function by bisecting the interval in which it rises."""
    if value - function(lowest) < _PRECISION * abs(function(lowest)):  # or less than it
        return None
    low, high = lowest, max(value, 0.0) + 4.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < value else (low, middle)
    # Very near the lowest point, calibration may have met the other side: the distance depends on the number of values.
    return high if (high - lowest) * count > _LEAST_VALUES else None
