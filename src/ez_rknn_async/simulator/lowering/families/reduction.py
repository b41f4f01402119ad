# SPDX-License-Identifier: Apache-2.0
"""Reductions: sums, extremes, softmax, the places of extremes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.format.graph import DType
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder


def _axes(node: Node, to: GraphBuilder) -> list[int]:
    """Return the axes of the second operand or the attribute; all axes if neither gives any."""
    if len(node.inputs) > 1 and to.is_constant(node.inputs[1]) and to.tensor(node.inputs[1]).dtype == DType.INT64:
        return list(to.integers(node.inputs[1]))
    axes = node.attributes.get("axes")
    return list(range(len(to.shape(node.inputs[0])))) if axes is None else [int(axis) for axis in axes]


@lowers(
    *("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
    *("ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"),
)
def reduce(node: Node, to: GraphBuilder) -> None:
    """Reduce over some axes."""
    keep = int(node.attributes.get("keepdims", 1))
    to.result(node.outputs[0], to.add(node.op, to.value(node.inputs[0]), axes=_axes(node, to), keepdims=keep))


@lowers("ReduceSum")
def reduce_sum(node: Node, to: GraphBuilder) -> None:
    """Sum over some axes, which ONNX takes as an operand here."""
    keep = int(node.attributes.get("keepdims", 1))
    total = to.add("ReduceSum", to.value(node.inputs[0]), to.ints(_axes(node, to)), keepdims=keep)
    to.result(node.outputs[0], total)


@lowers("Softmax", "exSoftmax13", "LogSoftmax", "Hardmax")
def softmax(node: Node, to: GraphBuilder) -> None:
    """Apply a softmax along one axis."""
    operator = "Softmax" if node.op == "exSoftmax13" else node.op
    value = to.add(operator, to.value(node.inputs[0]), axis=int(node.attributes.get("axis", -1)))
    to.result(node.outputs[0], value)


@lowers("CumSum")
def cumulative_sum(node: Node, to: GraphBuilder) -> None:
    """Compute running totals along one axis."""
    flags = {name: int(node.attributes.get(name, 0)) for name in ("exclusive", "reverse")}
    axis = to.ints(to.integers(node.inputs[1])[:1])
    to.result(node.outputs[0], to.add("CumSum", to.value(node.inputs[0]), axis, **flags))
