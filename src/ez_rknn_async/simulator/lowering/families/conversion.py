# SPDX-License-Identifier: Apache-2.0
"""The borders of the graph, and changes of type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.format.graph import DType
from ..grid import is_real
from ..registry import lowers
from .elementwise import truth, truth_result

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder


@lowers("InputOperator")
def graph_input(node: Node, to: GraphBuilder) -> None:
    """Mark a graph input, which exists already; a copy under another tensor keeps its value."""
    _pass_on(node, to)


@lowers("OutputOperator", "")
def graph_output(node: Node, to: GraphBuilder) -> None:
    """Mark a graph output; a copy under another tensor keeps its value.

    Behind operators of the CPU, RK3562 and RK3566 models have a node without name or tensors instead.
    """
    _pass_on(node, to)


def _pass_on(node: Node, to: GraphBuilder) -> None:
    for output in node.outputs[:1]:
        if node.inputs and node.inputs[0] != output and output not in to.graph.inputs:
            value = to.value(node.inputs[0])
            to.moved(output, value, value)


@lowers("exDataConvert")
def data_convert(node: Node, to: GraphBuilder) -> None:
    """Change the type of the same real numbers."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], value, value)


@lowers("Cast")
def cast(node: Node, to: GraphBuilder) -> None:
    """Convert to integers, to truth values, or to real numbers."""
    if node.attributes.get("to") == DType.BOOL:
        truth_result(to, node.outputs[0], truth(to, node.inputs[0]))
        return
    target = to.tensor(node.outputs[0])
    dtype = DType.FLOAT32 if is_real(target) else target.dtype
    to.result(node.outputs[0], to.add("Cast", to.value(node.inputs[0]), to=int(dtype)))
