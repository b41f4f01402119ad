# SPDX-License-Identifier: Apache-2.0
"""Integers: token ids, casts and arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft

VOCABULARY = 20  # ids are drawn below it (recording.inputs_for)


def ids(g: Draft) -> str:
    """Add an input of token ids."""
    return g.input("ids", [g.choice((1, 1, 2)), g.integer(1, 16)], TensorProto.INT64)


@operator()
def embedding(g: Draft) -> str:
    """Draw an embedding of tokens, at times followed by positions or a matrix product."""
    tokens = ids(g)
    x = g.op("Gather", g.normal(VOCABULARY, g.integer(2, 48)), tokens)
    if g.chance(0.3):
        x = g.op("Add", x, g.normal(*g.of(x).shape, spread=0.3))
    return g.product(x, g.integer(2, 40)) if g.chance(0.5) else x


@operator()
def lookup(g: Draft) -> str:
    """Draw a gather from a computed table, at places that are another input."""
    table = g.source((VOCABULARY, g.integer(2, 32)))
    return g.op("Gather", table, g.input("places", [g.integer(1, 8)], TensorProto.INT64), axis=0)


@operator()
def one_hot(g: Draft) -> str:
    """Draw a one-hot encoding of tokens."""
    marked = g.op("OneHot", ids(g), g.constant(np.array(VOCABULARY)), g.floats([0.0, 1.0]), axis=-1)
    return g.product(marked, g.integer(2, 20)) if g.chance(0.5) else marked


@operator()
def cast(g: Draft) -> str:
    """Draw a cast to another type and back, or out of the graph."""
    x = g.op("Mul", g.op("Abs", g.source(g.shape(2, 3, 4))), g.floats(3.0))
    dtype = g.choice((TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8, TensorProto.INT8))
    there = g.op("Cast", x, to=dtype)
    outside = dtype in (TensorProto.INT32, TensorProto.INT64) and g.chance(0.3)
    return there if outside else g.op("Cast", there, to=TensorProto.FLOAT)


@operator()
def counted(g: Draft) -> str:
    """Draw a cast of token ids to real numbers."""
    x = g.op("Cast", ids(g), to=TensorProto.FLOAT)
    return g.op("Mul", x, g.floats(0.05)) if g.chance(0.5) else g.product(x, g.integer(2, 20))


@operator()
def whole_sum(g: Draft) -> str:
    """Draw integer arithmetic."""
    return g.op(g.choice(("Add", "Mul")), ids(g), g.ints(g.integer(2, 5)))


@operator()
def fake_quantized(g: Draft) -> str:
    """Draw a quantisation and dequantisation in a model that is otherwise of floats."""
    scale, zero = g.floats(g.number(0.02, 0.05)), g.constant(np.array(g.integer(-5, 5), np.int8))
    x = g.source(g.shape(2, 3, 4))
    return g.op("DequantizeLinear", g.op("QuantizeLinear", x, scale, zero), scale, zero)
