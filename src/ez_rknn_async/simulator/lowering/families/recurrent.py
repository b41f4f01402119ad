# SPDX-License-Identifier: Apache-2.0
"""LSTM and GRU layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....model.format.graph import DType
from ....model.operators.recurrent import recurrent
from ..registry import lowers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....model.format.graph import Node
    from ....model.operators.recurrent import State
    from ..builder import GraphBuilder


@lowers("LSTM", "exLSTM", "GRU", "exGRU")
def recurrent_layer(node: Node, to: GraphBuilder) -> None:
    """Return all hidden states [time, directions, batch, hidden], the last one, and an LSTM's last cell."""
    layer = recurrent(to.model, to.graph, node, to.registers)
    states = [layer.state] if layer.cell is None else [layer.state, layer.cell]
    operands = [
        to.value(node.inputs[0]),
        *(to.initializer(array) for array in (layer.weight, layer.recurrence, layer.bias)),
        to.initializer(np.array(layer.lengths, np.int32)) if layer.lengths else "",
        *(_initial(to, state, layer.hidden_size) for state in states),
    ]
    attributes: dict[str, Any] = {"hidden_size": layer.hidden_size, "direction": layer.direction}
    results = to.add_many(layer.kind, 1 + len(states), *operands, **attributes, **layer.attributes)
    _keep_wanted(to, node.outputs, (_in_shape(to, node.outputs[0], results[0]), *results[1:]))


@lowers("RNN")
def plain_recurrent_layer(node: Node, to: GraphBuilder) -> None:
    """Lower a layer without gates, computed by the CPU: ONNX's own, with optional lengths and initial state."""
    operands = [to.value(index) for index in node.inputs[:4]]
    if len(node.inputs) > 4:
        operands.append(_lengths(to, node.inputs[4]))
    if len(node.inputs) > 5:
        operands.append(to.value(node.inputs[5]))
    given = {name: node.attributes[name] for name in ("hidden_size", "direction", "clip") if node.attributes.get(name)}
    if any(node.attributes.get("activations", ())):
        given["activations"] = list(node.attributes["activations"])
    _keep_wanted(to, node.outputs, to.add_many("RNN", len(node.outputs), *operands, **given))


def _keep_wanted(to: GraphBuilder, outputs: Sequence[int], values: Sequence[str]) -> None:
    for output, value in zip(outputs, values):
        to.result(output, value)


def _lengths(to: GraphBuilder, index: int) -> str:
    """Return the lengths of the sequences; a placeholder stands for none."""
    if to.tensor(index).is_placeholder:
        return ""
    return to.add("Cast", to.value(index), to=int(DType.INT32))


def _initial(to: GraphBuilder, state: State, hidden: int) -> str:
    """Return an initial state; a computed one may have padding."""
    if not isinstance(state, int):
        return to.initializer(state)
    if to.shape(state)[-1] == hidden:
        return to.value(state)
    return to.add("Slice", to.value(state), to.ints([0]), to.ints([hidden]), to.ints([-1]))


def _in_shape(to: GraphBuilder, index: int, value: str) -> str:
    """Join the directions to [time, batch, directions * hidden], as some compilers do."""
    shape = to.shape(index)
    if len(shape) != 3:
        return value
    return to.add("Reshape", to.add("Transpose", value, perm=[0, 2, 1, 3]), to.ints(shape))
