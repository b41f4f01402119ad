# SPDX-License-Identifier: Apache-2.0
"""Channels last: the element order of convolutions in integers.

Values are in ONNX's order (NCHW) to the outside. Some have a *twin* in NHWC order: one of the two is computed, the
other is a transpose of it, which is removed from the session if it is not read (:mod:`..pruning`). Elementwise
operators are computed on twins where there are some, so that nothing is transposed between two
convolutions in integers.

ONNX Runtime moves transposes too, but not always correctly (seen with 1.19 and 1.32): of quantised numbers that are
read in NHWC and, dequantised, in NCHW, the latter come out in NHWC. The simulated NPU has that optimiser switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .nodes import Nodes

TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_ELEMENTWISE = frozenset(
    (
        "Add", "Cast", "Clip", "DequantizeLinear", "Div", "Elu", "Erf", "HardSigmoid", "HardSwish", "LeakyRelu", "Max",
        "Min", "Mul", "QuantizeLinear", "Relu", "Round", "Sigmoid", "Softplus", "Sub", "Tanh",
    )
)  # fmt: skip
_AXES_LAST = {0: 0, 1: 3, 2: 1, 3: 2}


class Layouts:
    """The twins of values, added to ``nodes`` on use."""

    def __init__(self, nodes: Nodes) -> None:
        self._add = nodes.add
        self._twins: dict[str, str] = {}  # NCHW: NHWC
        self._scalars: set[str] = set()  # constants that are the same in any order
        self._four: set[str] = set()  # values of four dimensions
        self._dequantized: dict[str, tuple[str, ...]] = {}  # results of DequantizeLinear: its operands

    def is_scalar(self, name: str) -> None:
        """Register a constant without dimensions."""
        self._scalars.add(name)

    def has_four_dimensions(self, name: str) -> None:
        """Register a value that has a twin, or can be given one."""
        self._four.add(name)

    def first(self, last: str) -> str:
        """Return the NCHW twin of a value that was computed in NHWC."""
        name = self._add("Transpose", last, perm=TO_FIRST)
        self._twins[name] = last
        self._four.add(name)
        return name

    def last(self, name: str) -> str:
        """Return the NHWC twin of a value of four dimensions."""
        if name not in self._twins:
            self._twins[name] = self._last(name)
        return self._twins[name]

    def _last(self, name: str) -> str:
        if name in self._dequantized:  # bytes are transposed in a quarter of the time
            integers, *parameters = self._dequantized[name]
            return self._add("DequantizeLinear", self.last(integers), *parameters)
        return self._add("Transpose", name, perm=TO_LAST)

    def add(self, operator: str, inputs: Sequence[str], attributes: dict[str, Any]) -> str:
        """Add an operator on values in NCHW; on their twins if it has some and the operator allows it."""
        if operator == "DequantizeLinear":
            return self._dequantize(inputs, attributes)
        if not self._follows(operator, inputs):
            return self._add(operator, *inputs, **attributes)
        if operator == "Concat":
            attributes = {**attributes, "axis": _AXES_LAST[attributes["axis"] % 4]}
        twins = [name if name in self._scalars else self.last(name) for name in inputs]
        return self.first(self._add(operator, *twins, **attributes))

    def _dequantize(self, inputs: Sequence[str], attributes: dict[str, Any]) -> str:
        """Dequantise both twins from bytes, as far as they are read."""
        name = self._add("DequantizeLinear", *inputs, **attributes)
        if inputs[0] in self._four and self._scalars.issuperset(inputs[1:]):
            self._dequantized[name] = tuple(inputs)
            self._four.add(name)
            if inputs[0] in self._twins:
                self.last(name)
        return name

    def _follows(self, operator: str, inputs: Sequence[str]) -> bool:
        values = [name for name in inputs if name not in self._scalars]
        if not any(name in self._twins for name in values) or not self._four.issuperset(values):
            return False
        return operator in _ELEMENTWISE or (operator == "Concat" and self._twins.keys() >= set(values))
