# SPDX-License-Identifier: Apache-2.0
"""Functions of one value, alone or after a convolution or an elementwise operator.

A convolution's activation is a table in the NPU. The official simulator computes the function itself, and so do we;
they agree within one unit of an int8 output.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Callable

from ....model.operators.unsupported import UnsupportedFormError
from ..registry import lowers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ....model.format.graph import Node
    from ..builder import GraphBuilder

PLAIN = (
    "Abs", "Atan", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Log", "Neg", "Reciprocal", "Relu", "Round",
    "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh",
    "Acos", "Acosh", "Asin", "Asinh", "Atanh", "Cosh", "Sinh", "Tan",
)  # fmt: skip

# They return their argument, its opposite or an integer.
SELECTING = ("Abs", "Ceil", "Floor", "Neg", "Relu", "Round", "Sign")

PARAMETERS = {  # of the functions that have some: ONNX's names, with ONNX's defaults
    "Celu": {"alpha": 1.0},
    "Elu": {"alpha": 1.0},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "LeakyRelu": {"alpha": 0.01},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "ThresholdedRelu": {"alpha": 1.0},
}

SPELLINGS = {  # of the compiler's own functions, alone and as part of a longer name
    "exSwish": "Swish",
    "ExSwish": "Swish",
    "exGelu": "Gelu",
    "ExGelu": "Gelu",
    "exMish": "Mish",
    "Mish": "Mish",
    "ExMish": "Mish",
}


def activate(to: GraphBuilder, function: str, value: str, parameters: Mapping[str, float] | None = None) -> str:
    """Apply ``function`` (ONNX's name, or Swish, Gelu, Mish) to a value."""
    parameters = parameters or {}
    if function in PLAIN:
        return to.add(function, value)
    if function in PARAMETERS:
        known = {name: float(parameters.get(name, default)) for name, default in PARAMETERS[function].items()}
        return to.add(function, value, **known)
    if function == "Swish":
        return swish(to, value, float(parameters.get("beta", 1.0)))
    if function in COMPOSED:
        return COMPOSED[function](to, value)
    if function == "Clip":
        return to.add("Clip", value, to.floats(parameters["min"]), to.floats(parameters["max"]))
    raise UnsupportedFormError(f"the activation {function} is unknown")


def fused(to: GraphBuilder, suffix: str, value: str, parameters: Mapping[str, float]) -> str:
    """Apply the activation fused into an operator, named by the suffix of the operator's name; may be none."""
    return activate(to, SPELLINGS.get(suffix, suffix), value, parameters) if suffix else value


def swish(to: GraphBuilder, value: str, beta: float) -> str:
    """Compute ``x * sigmoid(beta * x)``; with a beta of 1.702 it is called a quick GELU."""
    argument = value if beta == 1 else to.add("Mul", value, to.floats(beta))
    return to.add("Mul", value, to.add("Sigmoid", argument))


def gelu(to: GraphBuilder, value: str) -> str:
    """Compute ``x / 2 * (1 + erf(x / sqrt(2)))``."""
    erf = to.add("Erf", to.add("Mul", value, to.floats(1 / math.sqrt(2))))
    return to.add("Mul", to.add("Mul", value, to.add("Add", erf, to.floats(1.0))), to.floats(0.5))


def mish(to: GraphBuilder, value: str) -> str:
    """Compute ``x * tanh(softplus(x))``."""
    return to.add("Mul", value, to.add("Tanh", to.add("Softplus", value)))


COMPOSED: dict[str, Callable[[GraphBuilder, str], str]] = {"Gelu": gelu, "Mish": mish}


@lowers(*PLAIN, *PARAMETERS, "Mish", *(name for name in SPELLINGS if name.startswith("ex")))
def activation(node: Node, to: GraphBuilder) -> None:
    """Apply a function to every element."""
    function, operand = SPELLINGS.get(node.op, node.op), to.value(node.inputs[0])
    value = activate(to, function, operand, node.attributes)
    if function in SELECTING:
        to.keeps_half(value, operand)
    to.result(node.outputs[0], value)


@lowers("exGlu")
def gated_linear_unit(node: Node, to: GraphBuilder) -> None:
    """Multiply the first half along an axis by the sigmoid of the second half."""
    axis = int(node.attributes["axis"])
    values, gates = to.add_many("Split", 2, to.value(node.inputs[0]), axis=axis)
    to.result(node.outputs[0], to.add("Mul", values, to.add("Sigmoid", gates)))


@lowers("Shrink")
def shrink(node: Node, to: GraphBuilder) -> None:
    """Shrink elements towards zero; near zero, to zero."""
    given = {name: float(node.attributes.get(name, default)) for name, default in (("bias", 0.0), ("lambd", 0.5))}
    to.result(node.outputs[0], to.add("Shrink", to.value(node.inputs[0]), **given))


@lowers("PRelu")
def prelu(node: Node, to: GraphBuilder) -> None:
    """Apply a leaky ReLU whose slope is an operand."""
    to.result(node.outputs[0], to.add("PRelu", *to.values(node.inputs[:2])))


@lowers("Clip")
def clip(node: Node, to: GraphBuilder) -> None:
    """Clip to bounds that are operands, constant or computed, or attributes; an upper one below the lower one wins."""
    value = to.value(node.inputs[0])
    bounds = [(which, to.operand(node, place)) for place, which in ((1, "min"), (2, "max"))]
    if all(index is None or to.is_constant(index) for _, index in bounds):
        ends = {"min": -math.inf, "max": math.inf}
        for which, index in bounds:
            ends[which] = float(node.attributes.get(which, ends[which]) if index is None else to.numbers(index).flat[0])
        value = activate(to, "Clip", value, ends)
    else:
        for (which, index), operator in zip(bounds, ("Max", "Min")):
            if index is not None:
                value = to.add(operator, value, to.add("Reshape", to.value(index), to.ints([1])))
            elif which in node.attributes:
                value = to.add(operator, value, to.floats(float(node.attributes[which])))
    to.result(node.outputs[0], value)
