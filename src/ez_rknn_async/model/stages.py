"""What the compiler fuses behind a convolution, as values.

The operator's name tells: ``ConvAddRelu`` is a convolution, then an addition, then a ReLU.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from .unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Binary:
    """``Add``, ``Sub``, ``Mul``, ``Max`` or ``PRelu`` (a slope) with another tensor as the second operand."""

    operator: str
    operand: int  # tensor index


@dataclass(frozen=True)
class Activation:
    """A function of each element: ONNX's name, or ``Swish``, ``Gelu``, ``Mish``; with ONNX's parameters."""

    function: str
    parameters: Mapping[str, float] = field(default_factory=dict)


Stage = Union[Binary, Activation]

BINARY = ("Add", "Sub", "Mul", "Max", "PRelu")
LEAKY = ("LeakyRelu", "PRelu")
FUNCTIONS = {  # the compiler's spelling: the function's
    **{name: name for name in ("Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Relu", "Sigmoid")},
    **{name: name for name in ("Softplus", "Tanh")},
    "ExSwish": "Swish",
    "ExGelu": "Gelu",
    "ExMish": "Mish",
    "exSwish": "Swish",  # behind ConvTranspose
    "exGelu": "Gelu",
    "exMish": "Mish",
}

# An activation by table: the input gain of the table. The gain is the compiler's choice, the same in all models.
TABLE_GAINS = {
    "Swish": 2824.0,
    "Sigmoid": 2598.0,
    "Tanh": 5425.0,
    "HardSigmoid": 5461.0,
    "HardSwish": 5461.0,
    "Elu": 3277.0,
    "Gelu": 5794.0,
    "Softplus": 2596.0,
    "Mish": 3276.0,
}

_TOKEN = re.compile("|".join(sorted((*BINARY, *FUNCTIONS), key=len, reverse=True)))


def fused_functions(suffix: str) -> tuple[str, ...]:
    """The names in what follows ``Conv`` or ``ConvTranspose``, in the order of execution, in their usual spelling.

    Raises:
        UnsupportedFormError: part of it is not known.
    """
    tokens = _TOKEN.findall(suffix)
    if "".join(tokens) != suffix:
        raise UnsupportedFormError(f"what is fused behind it is not all known: {suffix}")
    return tuple(FUNCTIONS.get(token, token) for token in tokens)
