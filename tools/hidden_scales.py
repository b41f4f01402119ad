"""Which tensors of a model the official simulator rounds to a scale that is not in the file.

``docs/reference/simulator.md`` lists the forms. What differs behind such a tensor differs for that reason: no runtime
can know the scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ez_rknn_async.model import load
from ez_rknn_async.model.convolution import convolution
from ez_rknn_async.model.graph import DType
from ez_rknn_async.model.hidden_rounding import is_separate
from ez_rknn_async.model.registers import RegisterFile
from ez_rknn_async.model.stages import Binary, Rounding
from ez_rknn_async.model.unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from pathlib import Path

    from ez_rknn_async.model import Model
    from ez_rknn_async.model.graph import Graph, Node

ATTENTION = "exSDPAttention"


def hidden_scales(path: Path) -> list[str]:
    """A line for each node with such a tensor."""
    with load(str(path)) as model:
        graph = model.graphs[0]
        return [
            f"{node.op} {node.name}: {reason}" for node in graph.nodes if (reason := hidden_scale(model, graph, node))
        ]


def hidden_scale(model: Model, graph: Graph, node: Node) -> str:
    """What the scale is of; nothing if the node has no such tensor."""
    if not node.outputs or node.outputs[0] < 0 or graph.tensors[node.outputs[0]].dtype is not DType.INT8:
        return ""
    if node.op == ATTENTION:
        return "the scale of its scores and weights is not in the file"
    return _of_convolution(model, graph, node) if node.op.startswith("Conv") else ""


def _of_convolution(model: Model, graph: Graph, node: Node) -> str:
    try:
        decoded = convolution(model, graph, node, RegisterFile(model, graph))
    except UnsupportedFormError:
        return ""
    makers = {output: maker.op for maker in graph.nodes for output in maker.outputs}
    for stage in decoded.stages:
        if isinstance(stage, Rounding):
            return ""
        if isinstance(stage, Binary) and stage.operator in ("Mul", "Div"):
            return "the scale of the product's convolved operand is not in the file"
        if isinstance(stage, Binary) and makers.get(stage.operand, "").startswith("Conv"):
            return "the scale of one of the two convolutions that it joins is not in the file"
    if is_separate(decoded.stages, decoded.group > 1, decoded.transposed):
        return "the scale in front of its activation is not in the file"
    return ""
