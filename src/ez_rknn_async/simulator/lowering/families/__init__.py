# SPDX-License-Identifier: Apache-2.0
"""The lowering functions, a module for each family of operators."""

from . import (
    activation,
    attention,
    conversion,
    convolution,
    custom,
    elementwise,
    matmul,
    normalization,
    pooling,
    recurrent,
    reduction,
    resampling,
    selection,
    shape,
)

__all__ = [
    "activation",
    "attention",
    "conversion",
    "convolution",
    "custom",
    "elementwise",
    "matmul",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "resampling",
    "selection",
    "shape",
]
