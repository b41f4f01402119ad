# SPDX-License-Identifier: Apache-2.0
"""Operators on two tensors, element by element, with ONNX's broadcasting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from ....model.format.graph import DType, Kind
from ....model.operators.constants import channels_of_batch
from ....model.operators.unsupported import UnsupportedFormError
from ..grid import is_real
from ..registry import lowers
from .activation import fused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....model.format.graph import Node
    from ..builder import GraphBuilder

ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum", "Mean")
MANY_OPERANDS = ("Max", "Min", "Sum", "Mean")
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
_SIGNS = ("detect_negative", "detect_positive")
STEPS_OF_BIAS = 32767  # a bias for each of the batch has the other operand's scale, divided by this
LOGIC = ("And", "Or", "Xor")


@lowers(*(f"{operator}*" for operator in ARITHMETIC))
def arithmetic(node: Node, to: GraphBuilder) -> None:
    """Lower an operator and the activation that the compiler fused into it, as in ``AddRelu``.

    Operators of any number of operands may have more than two.
    """
    operator = next(name for name in ARITHMETIC if node.op.startswith(name))
    operands = to.operands(node)[: None if operator in MANY_OPERANDS else 2]
    values = _halves(operands, [_batched_bias(index, operands, node, to) or to.value(index) for index in operands], to)
    if len({is_real(to.tensor(index)) for index in operands if to.shape(index)}) > 1:
        names = ", ".join(f"{to.tensor(index).name!r} ({to.tensor(index).dtype.name})" for index in operands)
        raise UnsupportedFormError(f"its operands are real numbers and integers, which nothing relates: {names}")
    value = to.add(operator, *values)
    if operator == "Div" and to.on_grid(node.outputs[0]):
        # In int8, 0 / 0 is the largest number. (ONNX Runtime would make the smallest one of NaN.)
        value = to.add("Where", to.add("IsNaN", value), to.floats(math.inf), value)
    if operator in ("Max", "Min"):
        to.keeps_half(value, *values)
    to.result(node.outputs[0], fused(to, node.op[len(operator) :], value, node.attributes))


def _halves(operands: Sequence[int], values: Sequence[str], to: GraphBuilder) -> Sequence[str]:
    """Round constants beside a float16 tensor to float16: a mask's -1e9 is minus infinity on the NPU."""
    if not any(to.tensor(index).dtype is DType.FLOAT16 for index in operands):
        return values
    return [to.half(value) if to.is_constant(index) else value for index, value in zip(operands, values)]


def _batched_bias(index: int, operands: Sequence[int], node: Node, to: GraphBuilder) -> str | None:
    """Return the value of a constant for each channel of each of a batch, whose shape the file does not give."""
    tensor = to.tensor(index)
    if tensor.shape or tensor.kind is not Kind.WEIGHT or len(operands) != 2:
        return None
    (other,) = set(operands) - {index}
    quantization = to.tensor(other).quantization
    numbers = channels_of_batch(to.model, to.graph, tensor, to.shape(node.outputs[0])[:2])
    if tensor.dtype is DType.INT32:
        if quantization is None:
            raise UnsupportedFormError(f"the scale of its operand {tensor.name!r} is not known")
        numbers = (numbers * (quantization.scale[0] / STEPS_OF_BIAS)).astype(np.float32)
    return to.initializer(numbers.reshape(*numbers.shape, *[1] * (len(to.shape(node.outputs[0])) - 2)))


@lowers(*COMPARISONS)
def comparison(node: Node, to: GraphBuilder) -> None:
    """Compare two tensors. Beside a float16 tensor a constant stored as float32 is compared as float16."""
    operands = node.inputs[:2]
    values = _halves(operands, to.values(operands), to)
    truth_result(to, node.outputs[0], to.add(node.op, *values))


@lowers(*LOGIC)
def logic(node: Node, to: GraphBuilder) -> None:
    """Combine truth values."""
    truth_result(to, node.outputs[0], to.add(node.op, *(truth(to, index) for index in node.inputs[:2])))


@lowers("IsNaN", "IsInf")
def is_special(node: Node, to: GraphBuilder) -> None:
    """Test for special numbers."""
    flags = {name: int(node.attributes[name]) for name in _SIGNS if name in node.attributes}
    truth_result(to, node.outputs[0], to.add(node.op, to.value(node.inputs[0]), **flags))


@lowers("Not")
def negation(node: Node, to: GraphBuilder) -> None:
    """Negate truth values."""
    truth_result(to, node.outputs[0], to.add("Not", truth(to, node.inputs[0])))


@lowers("Where")
def where(node: Node, to: GraphBuilder) -> None:
    """Choose between two tensors."""
    condition, *choices = node.inputs[:3]
    to.result(node.outputs[0], to.add("Where", truth(to, condition), *to.values(choices)))


@lowers("Mod")
def modulo(node: Node, to: GraphBuilder) -> None:
    """Compute the remainder: of reals always C's, with the dividend's sign; of integers usually with the divisor's."""
    usual = int(is_real(to.tensor(node.inputs[0])))
    to.result(node.outputs[0], to.add("Mod", *to.values(node.inputs[:2]), fmod=int(node.attributes.get("fmod", usual))))


def truth(to: GraphBuilder, index: int) -> str:
    """Return a tensor's value as truth values, in whatever type the compiler stores them."""
    return to.add("Cast", to.value(index), to=TensorProto.BOOL)


def truth_result(to: GraphBuilder, index: int, value: str) -> None:
    """Make truth values the result for a tensor that may store them as the numbers 0 and 1."""
    target = to.tensor(index)
    dtype = DType.FLOAT32 if is_real(target) else target.dtype
    to.result(index, to.add("Cast", value, to=int(dtype)))
