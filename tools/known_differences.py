# SPDX-License-Identifier: Apache-2.0
"""The parts of a compiled model that no runtime can compute as the official simulator does.

``docs/reference/simulator.md`` explains each: tensors that the official simulator rounds to a scale that is not in the
file, states that the compiler loses. They may explain the differences of such a model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ez_rknn_async.model import load
from ez_rknn_async.model.format.graph import DType, Kind
from ez_rknn_async.model.operators.constants import constant
from ez_rknn_async.model.operators.convolution import convolution
from ez_rknn_async.model.operators.hidden_rounding import is_separate
from ez_rknn_async.model.operators.registers import RegisterFile
from ez_rknn_async.model.operators.stages import Binary, Rounding
from ez_rknn_async.model.operators.unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from pathlib import Path

    from ez_rknn_async.model import Model
    from ez_rknn_async.model.format.graph import Graph, Node

SUMS = ("Add", "Sub", "Max")


def known_differences(path: Path) -> list[str]:
    """Return a line for each node with a known difference."""
    with load(str(path)) as model:
        graph = model.graphs[0]
        if not any(tensor.dtype is DType.INT8 for tensor in graph.tensors):
            return []
        registers = RegisterFile(model, graph)
        nodes = [(node, known_difference(model, graph, node, registers)) for node in graph.nodes]
        return [f"{node.op} {node.name}: {reason}" for node, reason in nodes if reason]


def known_difference(model: Model, graph: Graph, node: Node, registers: RegisterFile) -> str:
    """Return the node's difference; "" if it is computed as the official simulator does."""
    if node.op == "exLSTM" and _has_lost_state(model, graph, node):
        return "its initial state is zeros in the file, whatever it was"
    if not node.outputs:
        return ""
    kind = graph.tensors[node.outputs[0]].dtype
    if node.op.startswith("Conv") and kind is DType.FLOAT16:
        return "the compiler made it float16; the official simulator computes it in int8"
    if kind is not DType.INT8:
        return ""
    if node.op == "exSDPAttention" and "q_add" in node.attributes:
        return "the scale of its scores in front of the mask is not in the file"
    if node.op.startswith(("Add", "Mul")) and any(_has_seven_bits(graph, index) for index in node.inputs[:2]):
        return "its constant has 7 bits in the file"
    return _of_convolution(model, graph, node, registers) if node.op.startswith("Conv") else ""


def _has_seven_bits(graph: Graph, index: int) -> bool:
    tensor = graph.tensors[index]
    return tensor.kind in (Kind.WEIGHT, Kind.CONSTANT) and tensor.dtype is DType.INT8 and math.prod(tensor.shape) > 1


def _has_lost_state(model: Model, graph: Graph, node: Node) -> bool:
    states = [graph.tensors[index] for index in node.inputs[5:7]]
    return any(
        tensor.dtype is DType.INT8 and tensor.buffer > 0 and not constant(model, graph, tensor).any()
        for tensor in states
    )


def _of_convolution(model: Model, graph: Graph, node: Node, registers: RegisterFile) -> str:
    try:
        decoded = convolution(model, graph, node, registers)
    except UnsupportedFormError:
        return ""
    makers = {output: maker.op for maker in graph.nodes for output in maker.outputs}
    for place, stage in enumerate(decoded.stages):
        if isinstance(stage, Rounding):
            return ""
        if not isinstance(stage, Binary):
            continue
        if stage.operator in SUMS and place > 0:
            return f"the scale in front of its {stage.operator.lower()} is not in the file"
        if stage.operator == "Mul":
            return "the scale of the product's convolved operand is not in the file"
        if makers.get(stage.operand, "").startswith("Conv"):
            return "the scale of one of the two convolutions that it joins is not in the file"
    if is_separate(decoded.stages, decoded.group > 1, decoded.transposed):
        return "the scale in front of its activation is not in the file"
    return ""
