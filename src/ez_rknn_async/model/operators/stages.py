# SPDX-License-Identifier: Apache-2.0
"""The operators that the compiler fuses into a convolution, as values.

The operator's name lists them: ``ConvAddRelu`` is a convolution, then an addition, then a ReLU.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from .unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Binary:
    """A fused ``Add``, ``Sub``, ``Mul``, ``Max`` or ``PRelu`` (a slope) with another tensor as the second operand."""

    operator: str
    operand: int  # tensor index


@dataclass(frozen=True)
class Activation:
    """A function of each element: ONNX's name, or ``Swish``, ``Gelu``, ``Mish``; with ONNX's parameters."""

    function: str
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rounding:
    """Rounding to int8 between a convolution and its activation (:mod:`.hidden_rounding`)."""

    scale: float
    zero_point: int


Stage = Union[Binary, Activation, Rounding]

BINARY = ("Add", "Sub", "Mul", "Max", "PRelu")
LEAKY = ("LeakyRelu", "PRelu")
FUNCTIONS = {  # the function's usual name, by the compiler's
    **{name: name for name in ("Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Relu", "Sigmoid")},
    **{name: name for name in ("Softplus", "Tanh")},
    "ExSwish": "Swish",
    "ExGelu": "Gelu",
    "ExMish": "Mish",
    "exSwish": "Swish",  # after ConvTranspose
    "exGelu": "Gelu",
    "exMish": "Mish",
}

# The table of an activation goes from minus to plus this argument. The compiler's choice for all models, measured on
# the official simulator's unrounded sums, to 1 in 10,000. (Softplus: the newest compilers' choice; the table itself
# shows it, see :mod:`.table_parameters`.)
TABLE_REACHES = {
    "Swish": 5.8,
    "Sigmoid": 6.31,
    "Tanh": 3.02,
    "HardSigmoid": 3.0,
    "HardSwish": 3.0,
    "Elu": 5.0,
    "Gelu": 2 * math.sqrt(2),
    "Softplus": 6.31,
    "Mish": 5.0,
}


def table_gain(reach: float) -> float:
    """Return the gain from arguments to places in a table that ends at ``reach``."""
    return 2**14 / reach


TABLE_GAINS = {name: table_gain(reach) for name, reach in TABLE_REACHES.items()}

_TOKEN = re.compile("|".join(sorted((*BINARY, *FUNCTIONS), key=len, reverse=True)))


def fused_functions(suffix: str) -> tuple[str, ...]:
    """Return the functions named after ``Conv`` or ``ConvTranspose``, in execution order, by their usual names.

    Raises:
        UnsupportedFormError: part of it is not known.
    """
    tokens = _TOKEN.findall(suffix)
    if "".join(tokens) != suffix:
        raise UnsupportedFormError(f"some operators fused into it are unknown: {suffix}")
    return tuple(FUNCTIONS.get(token, token) for token in tokens)
