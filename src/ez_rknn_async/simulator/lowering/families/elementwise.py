"""Operators on two tensors, element by element, with ONNX's broadcasting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto

from ....model.graph import DType
from ..grid import is_real
from ..registry import lowers
from .activation import SPELLINGS, activate

if TYPE_CHECKING:
    from ....model.graph import Node
    from ..builder import GraphBuilder

ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
LOGIC = ("And", "Or", "Xor")


@lowers(*(f"{operator}*" for operator in ARITHMETIC))
def arithmetic(node: Node, to: GraphBuilder) -> None:
    """An operator and the activation that the compiler fused behind it, as in ``AddRelu``."""
    operator = next(name for name in ARITHMETIC if node.op.startswith(name))
    value = to.add(operator, *to.values(node.inputs[:2]))
    if fused := node.op[len(operator) :]:
        value = activate(to, SPELLINGS.get(fused, fused), value, node.attributes)
    to.result(node.outputs[0], value)


@lowers(*COMPARISONS)
def comparison(node: Node, to: GraphBuilder) -> None:
    """Truth values."""
    truth_result(to, node.outputs[0], to.add(node.op, *to.values(node.inputs[:2])))


@lowers(*LOGIC)
def logic(node: Node, to: GraphBuilder) -> None:
    """Of truth values."""
    truth_result(to, node.outputs[0], to.add(node.op, *(truth(to, index) for index in node.inputs[:2])))


@lowers("Not")
def negation(node: Node, to: GraphBuilder) -> None:
    """Of truth values."""
    truth_result(to, node.outputs[0], to.add("Not", truth(to, node.inputs[0])))


@lowers("Where")
def where(node: Node, to: GraphBuilder) -> None:
    """Chooses between two tensors."""
    condition, *choices = node.inputs[:3]
    to.result(node.outputs[0], to.add("Where", truth(to, condition), *to.values(choices)))


@lowers("Mod")
def modulo(node: Node, to: GraphBuilder) -> None:
    """Remainder; of real numbers always C's."""
    to.result(node.outputs[0], to.add("Mod", *to.values(node.inputs[:2]), fmod=int(node.attributes.get("fmod", 1))))


def truth(to: GraphBuilder, index: int) -> str:
    """A tensor's value as truth values, whatever type the compiler keeps them in."""
    return to.add("Cast", to.value(index), to=TensorProto.BOOL)


def truth_result(to: GraphBuilder, index: int, value: str) -> None:
    """``value``, which is of truth values, as the result for a tensor that may keep them as the numbers 0 and 1."""
    target = to.tensor(index)
    dtype = DType.FLOAT32 if is_real(target) else target.dtype
    to.result(index, to.add("Cast", value, to=int(dtype)))
