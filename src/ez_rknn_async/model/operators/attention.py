# SPDX-License-Identifier: Apache-2.0
"""Roundings inside attention, which is one operator in the file.

An int8 attention rounds two intermediate results: the scores, after the mask if there is one, and their softmax, the
weights. Neither tensor is in the file any more. Their scales follow from the factors by which the NPU multiplies the
two products before it stores them as int8:

* the first, of queries and keys, gives the scores: ``gain = queries * keys / scores`` (of scales), with the queries
  made symmetric first, ``scale = largest magnitude / 127``;
* the last, of weights and values, gives the result: ``gain = weights * values / result``. The NPU stores the
  weights as signed numbers, with twice the step of the official simulator.

Found with values that select single weights; the results then equal the official simulator's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..format.graph import DType
from .dpu import dpu
from .stages import Rounding

if TYPE_CHECKING:
    from ..format.file import Model
    from ..format.graph import Graph, Node, Tensor
    from .registers import RegisterFile

_CONVOLUTION_UNIT = 1  # in a task's enable mask
_PRECISION, _FLOAT_OPERANDS = 0x100C, 0x1FF
_LOWEST = -128
_FULL_SCALE = 1 / 255  # the scale of weights whose maximum is 1
_TOLERANCE = 1e-4  # relative error of a scale that is read from 15 bits


@dataclass(frozen=True)
class AttentionRoundings:
    """The roundings of the scores, with the mask added, and of the weights."""

    scores: Rounding
    weights: Rounding


def attention_roundings(model: Model, graph: Graph, node: Node, registers: RegisterFile) -> AttentionRoundings | None:
    """Return the roundings of an attention of queries, keys and values; None if it is not computed in int8."""
    queries, keys, values = (graph.tensors[index] for index in node.inputs[:3])
    result = graph.tensors[node.outputs[0]]
    if not all(_is_quantized(tensor) for tensor in (queries, keys, values, result)):
        return None
    # Head by head; all heads are alike.
    products = (
        dpu(model, graph, task.registers, result)
        for task in registers.each_task(node)
        if task.enable_mask & _CONVOLUTION_UNIT and not task.registers.get(_PRECISION, 0) & _FLOAT_OPERANDS
    )
    first, last = next(products, None), next(products, None)
    if first is None or last is None:
        return None
    gains = first.output_gain(), last.output_gain()
    if min(gains) <= 0:
        return None
    scores = _magnitude(queries) / 127 * _scale(keys) / gains[0]
    weights = gains[1] * _scale(result) / _scale(values) / 2
    return AttentionRoundings(
        Rounding(scores, first.output_zero_point()),
        Rounding(_FULL_SCALE if abs(weights / _FULL_SCALE - 1) < _TOLERANCE else weights, _LOWEST),
    )


def _is_quantized(tensor: Tensor) -> bool:
    return tensor.dtype is DType.INT8 and tensor.quantization is not None and len(tensor.quantization.scale) == 1


def _scale(tensor: Tensor) -> float:
    assert tensor.quantization is not None  # _is_quantized has looked
    return tensor.quantization.scale[0]


def _magnitude(tensor: Tensor) -> float:
    """Return the largest magnitude met in calibration."""
    assert tensor.quantization is not None
    span, zero_point = tensor.quantization.span, tensor.quantization.zero_point[0]
    if span is None:
        return max(abs(end - zero_point) for end in (-128, 127)) * _scale(tensor)
    return max(map(abs, span))
