"""LSTM and GRU layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....model.graph import DType
from ....model.recurrent import recurrent
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.graph import Node
    from ..builder import GraphBuilder


@lowers("LSTM", "exLSTM", "GRU", "exGRU")
def recurrent_layer(node: Node, to: GraphBuilder) -> None:
    """Outputs: all hidden states [time, directions, batch, hidden], the last one, and an LSTM's last cell."""
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
    for place, (output, value) in enumerate(zip(node.outputs, results)):
        to.result(output, _in_shape(to, output, value) if place == 0 else value)


def _initial(to: GraphBuilder, index: int, hidden: int) -> str:
    """An initial state without its padding."""
    tensor = to.tensor(index)
    if tensor.dtype == DType.INT8 and tensor.quantization is None:  # zeros: others are refused by the decoder
        return to.initializer(np.zeros((*tensor.shape[:-1], hidden), np.float32))
    if tensor.shape[-1] == hidden:
        return to.value(index)
    return to.add("Slice", to.value(index), to.ints([0]), to.ints([hidden]), to.ints([-1]))


def _in_shape(to: GraphBuilder, index: int, value: str) -> str:
    """Some compilers join the directions: [time, batch, directions * hidden]."""
    shape = to.shape(index)
    if len(shape) == 4:
        return value
    return to.add("Reshape", to.add("Transpose", value, perm=[0, 2, 1, 3]), to.ints(shape))
