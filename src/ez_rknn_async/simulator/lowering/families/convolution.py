"""Convolutions and transposed convolutions, with what is fused behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....model.convolution import convolution
from ....model.graph import DType
from ....model.stages import Activation, Rounding
from ..grid import Grid
from ..registry import lowers
from .activation import activate

if TYPE_CHECKING:
    from ....model.convolution import Convolution
    from ....model.graph import Node
    from ....model.stages import Stage
    from ..builder import GraphBuilder


@lowers("Conv*")
def lower_convolution(node: Node, to: GraphBuilder) -> None:
    """The convolution, then the fused stages from left to right."""
    decoded = convolution(to.model, to.graph, node, to.registers)
    operands = [to.value(node.inputs[0]), to.initializer(decoded.weight)]
    if decoded.bias is not None:
        operands.append(to.initializer(decoded.bias))
    value = to.add("ConvTranspose" if decoded.transposed else "Conv", *operands, **_geometry(decoded))
    for stage in decoded.stages:
        value = _apply(stage, value, to)
    to.result(node.outputs[0], value)


def _geometry(decoded: Convolution) -> dict[str, Any]:
    geometry: dict[str, Any] = {
        "kernel_shape": list(decoded.weight.shape[2:]),
        "strides": list(decoded.strides),
        "pads": list(decoded.pads),
        "dilations": list(decoded.dilations),
        "group": decoded.group,
    }
    if decoded.transposed:
        geometry["output_padding"] = list(decoded.output_padding)
    return geometry


def _apply(stage: Stage, value: str, to: GraphBuilder) -> str:
    if isinstance(stage, Activation):
        return activate(to, stage.function, value, stage.parameters)
    if isinstance(stage, Rounding):
        return to.rounded(value, Grid(DType.INT8, stage.scale, stage.zero_point))
    return to.add(stage.operator, value, to.value(stage.operand))
