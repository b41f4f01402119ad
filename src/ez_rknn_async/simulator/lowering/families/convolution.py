"""Convolutions and transposed convolutions, with what is fused behind them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ....model.convolution import convolution
from ....model.graph import DType
from ....model.stages import Activation, Rounding
from ..cropping import cropped, remaining
from ..grid import Grid
from ..integer_convolution import convolve_integers
from ..registry import lowers
from .activation import activate

if TYPE_CHECKING:
    from ....model.convolution import Convolution
    from ....model.graph import Node
    from ....model.stages import Stage
    from ..builder import GraphBuilder

_TILE = re.compile(r"_tile\d+_conv$")
_COPIED_INPUT = "New_input_"
_SUM_OF_ACTIVATION = re.compile(r"Conv[A-Z]\w*(?<!PRelu)Add")  # with one further operand


@lowers("Conv*")
def lower_convolution(node: Node, to: GraphBuilder) -> None:
    """The convolution, then the fused stages from left to right."""
    decoded = convolution(to.model, to.graph, node, to.registers)
    value = convolve_integers(decoded, node.inputs[0], node.outputs[0], to) or _convolve(decoded, node.inputs[0], to)
    for stage in decoded.stages:
        value = _apply(stage, value, to)
    if not decoded.stages and (_is_only_added(node, to) or _is_fused_with_gelu(node, decoded, to)):
        to.define(node.outputs[0], value)
    else:
        to.result(node.outputs[0], value)


def _convolve(decoded: Convolution, source: int, to: GraphBuilder) -> str:
    """In float32."""
    value = to.value(source)
    value = value if decoded.transposed else cropped(value, decoded.pads, to)
    operands = [value, to.initializer(decoded.weight.real())]
    if decoded.bias is not None:
        operands.append(to.initializer(decoded.bias))
    return to.add("ConvTranspose" if decoded.transposed else "Conv", *operands, **_geometry(decoded))


def _is_only_added(node: Node, to: GraphBuilder) -> bool:
    """Whether the official simulator never rounds a convolution's result, which only goes into a sum.

    The compiler fuses the sum of two convolutions with the one that it runs last and stores the other's result as int8.
    The official simulator fuses it with the one that comes first in the network, whose result is therefore neither
    rounded nor saturated there. (It rounds the other one instead, to a scale that is not in the file.) Where the other
    one has an activation before the sum, it cannot be the one.
    """
    result = node.outputs[0]
    users = [user for user in to.graph.nodes if result in user.inputs]
    if len(users) != 1 or result in (*users[0].inputs[:2], *to.graph.outputs):
        return False
    if _SUM_OF_ACTIVATION.fullmatch(users[0].op):
        return True
    if not users[0].op.startswith("ConvAdd"):
        return False
    name = to.tensor(result).name
    if _TILE.search(name):  # one of the parts into which the compiler has split a large convolution's channels
        return _is_of_graph_input(node, to)
    if name != to.tensor(node.inputs[0]).name + "_conv":
        return node.inputs[1] < users[0].inputs[1]  # weights are numbered as in the network
    # The parts of a convolution of a concatenation, which the compiler has split: in the order of their inputs.
    places = {output: place for place, maker in enumerate(to.graph.nodes) for output in maker.outputs}
    return places.get(node.inputs[0], -1) < places.get(users[0].inputs[0], -1)


def _is_of_graph_input(node: Node, to: GraphBuilder) -> bool:
    """Whether the convolution that was split takes an input of the graph: its second part comes first then."""
    makers = {output: maker for maker in to.graph.nodes for output in maker.outputs if maker.op != "InputOperator"}
    split = makers.get(node.inputs[0])
    if split is None or split.op != "Split":
        return False
    # The compiler's own copy of an input in another layout is not in the network.
    source = split.inputs[0]
    while source in makers and to.tensor(source).name.startswith(_COPIED_INPUT):
        source = makers[source].inputs[0]
    return source in to.graph.inputs


def _is_fused_with_gelu(node: Node, decoded: Convolution, to: GraphBuilder) -> bool:
    """Whether the official simulator fuses what RK3576 does in two steps: a GELU behind a dense convolution."""
    if to.model.target_platform != "rk3576" or decoded.transposed or decoded.group > 1:
        return False
    result = node.outputs[0]
    users = [user.op for user in to.graph.nodes if result in user.inputs]
    return users == ["exGelu"] and result not in to.graph.outputs


def _geometry(decoded: Convolution) -> dict[str, Any]:
    geometry: dict[str, Any] = {
        "kernel_shape": list(decoded.weight.shape[2:]),
        "strides": list(decoded.strides),
        "pads": list(decoded.pads) if decoded.transposed else remaining(decoded.pads),
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
