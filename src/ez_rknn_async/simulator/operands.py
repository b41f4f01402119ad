# SPDX-License-Identifier: Apache-2.0
"""Checks that the operands of an ONNX operator fit each other, where shape inference does not look.

ONNX Runtime checks them only when it computes, which is too late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
from onnx import helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """An operator with the shapes of its operands and results."""

    node: onnx.NodeProto
    inputs: Sequence[Shape | None]  # None: left out
    outputs: Sequence[Shape | None]
    numbers: Callable[[str], NDArray[Any] | None]  # of a value, if it is constant

    def shape(self, place: int) -> Shape:
        """Return the shape of an operand that must be present."""
        shape = self.inputs[place]
        if shape is None:
            raise ValueError(f"operand {place} is left out")
        return shape

    def takes(self, place: int, *shapes: Shape) -> bool:
        """Check if an operand is left out, or has one of these shapes."""
        return place >= len(self.inputs) or self.inputs[place] in (None, *shapes)

    def constant(self, place: int) -> NDArray[Any] | None:
        """Return the numbers of a constant operand; None if it is not constant, or left out."""
        return self.numbers(self.node.input[place]) if place < len(self.node.input) else None

    def integer(self, name: str, default: int = 0) -> int:
        """Return an integer attribute."""
        return int(self._attribute(name, default))

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        return str(self._attribute(name, default.encode()).decode())

    def integers(self, name: str, default: Shape) -> Shape:
        """Return an attribute that is a list of integers."""
        return tuple(self._attribute(name, default))

    def _attribute(self, name: str, default: Any) -> Any:
        return next((helper.get_attribute_value(one) for one in self.node.attribute if one.name == name), default)


def fit(operator: Operator) -> bool:
    """Check if ``operator`` can compute with its operands."""
    check = _CHECKS.get(operator.node.op_type)
    try:
        return check is None or check(operator)
    except (IndexError, KeyError, TypeError, ValueError):  # an operand, a dimension or an attribute is missing
        return False


def _reshape(operator: Operator) -> bool:
    return math.prod(operator.shape(0)) == math.prod(operator.outputs[0] or ())


def _convolution(operator: Operator) -> bool:
    source, weight = operator.shape(0), operator.shape(1)
    group = operator.integer("group", 1)
    fits = group > 0 and source[1] == weight[1] * group and weight[0] % group == 0
    return fits and operator.integers("kernel_shape", weight[2:]) == weight[2:] and operator.takes(2, (weight[0],))


def _transposed_convolution(operator: Operator) -> bool:
    source, weight = operator.shape(0), operator.shape(1)
    group = operator.integer("group", 1)
    fits = group > 0 and source[1] == weight[0] and weight[0] % group == 0
    fits = fits and operator.integers("kernel_shape", weight[2:]) == weight[2:]
    ones = (1,) * len(weight[2:])
    steps = zip(operator.integers("strides", ones), operator.integers("dilations", ones))
    added = operator.integers("output_padding", (0,) * len(ones))
    fits = fits and all(0 <= more < max(pair) for more, pair in zip(added, steps))
    return fits and operator.takes(2, (weight[1] * group,))


def _recurrent(operator: Operator) -> bool:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator.node.op_type]
    _, batch, size = operator.shape(0)
    hidden = operator.integer("hidden_size")
    directions = 2 if operator.text("direction", "forward") == "bidirectional" else 1
    state = (directions, batch, hidden)
    return (
        hidden > 0
        and operator.shape(1) == (directions, gates * hidden, size)
        and operator.shape(2) == (directions, gates * hidden, hidden)
        and operator.takes(3, (directions, 2 * gates * hidden))
        and operator.takes(4, (batch,))
        and operator.takes(5, state)
        and operator.takes(6, state)
    )


def _per_channel(operator: Operator) -> bool:
    source = operator.shape(0)
    return all(shape == (source[1],) for shape in operator.inputs[1:])


def _byte_product(operator: Operator) -> bool:
    """Check ``MatMulIntegerToFloat``: A, B, their scales, their zero points, bias."""
    left, right, result = operator.shape(0), operator.shape(1), operator.outputs[0]
    columns = (right[1],)
    fits = left[-1] == right[0] and result == (*left[:-1], *columns)
    return fits and all(operator.takes(place, (), (1,), columns) for place in range(2, len(operator.inputs)))


def _split(operator: Operator) -> bool:
    source, axis = operator.shape(0), operator.integer("axis")
    return sum(shape[axis] for shape in operator.outputs if shape is not None) == source[axis]


def _gather(operator: Operator) -> bool:
    source, places = operator.shape(0), operator.constant(1)
    size = source[operator.integer("axis")]
    return places is None or not places.size or bool(-size <= places.min() and places.max() < size)


def _gather_tuples(operator: Operator) -> bool:
    """Check ``GatherND`` and ``ScatterND``, whose places are tuples of indices."""
    source, places = operator.shape(0), operator.constant(1)
    if places is None or not places.size:
        return True
    skipped = operator.integer("batch_dims")
    sizes = np.array(source[skipped : skipped + places.shape[-1]])
    return bool((places >= -sizes).all() and (places < sizes).all())


def _scatter_tuples(operator: Operator) -> bool:
    source, places, updates = (operator.shape(place) for place in range(3))
    return updates == (*places[:-1], *source[places[-1] :]) and _gather_tuples(operator)


def _scatter(operator: Operator) -> bool:
    return operator.shape(1) == operator.shape(2) and _gather(operator)


def _top(operator: Operator) -> bool:
    result, axis = operator.outputs[0] or (), operator.integer("axis", -1)
    return 0 < result[axis] <= operator.shape(0)[axis]


def _pad(operator: Operator) -> bool:
    source, pads = operator.shape(0), operator.constant(1)
    if operator.text("mode", "constant") != "reflect" or pads is None:
        return True
    return all(pad < size for pad, size in zip(pads.tolist(), (*source, *source)))


def _slope(operator: Operator) -> bool:
    source, slope = operator.shape(0), operator.shape(1)
    return len(slope) <= len(source) and all(one in (1, size) for one, size in zip(reversed(slope), reversed(source)))


def _divisor(operator: Operator) -> bool:
    """Check for a division of integers by zero, which ends the process."""
    divisor = operator.constant(1)
    return divisor is None or divisor.dtype.kind not in "iu" or bool((divisor != 0).all())


_CHECKS: dict[str, Callable[[Operator], bool]] = {
    "Reshape": _reshape,
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "BatchNormalization": _per_channel,
    "InstanceNormalization": _per_channel,
    "MatMulIntegerToFloat": _byte_product,
    "Split": _split,
    "Gather": _gather,
    "GatherElements": _gather,
    "GatherND": _gather_tuples,
    "ScatterElements": _scatter,
    "ScatterND": _scatter_tuples,
    "TopK": _top,
    "Pad": _pad,
    "PRelu": _slope,
    "Div": _divisor,
    "Mod": _divisor,
}
