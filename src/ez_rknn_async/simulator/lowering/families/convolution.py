# SPDX-License-Identifier: Apache-2.0
"""Convolutions and transposed convolutions, with their fused stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....model.format.graph import DType
from ....model.operators.convolution import convolution
from ....model.operators.stages import Activation, Rounding
from ..cropping import cropped, remaining
from ..grid import grid_of, grid_of_rounding
from ..integer_convolution import convolve_integers
from ..registry import lowers
from ..selections import with_whole_stride
from ..unrounded import is_unrounded
from .activation import activate

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ....model.operators.convolution import Convolution
    from ....model.operators.stages import Stage
    from ..builder import GraphBuilder

# Of an infinite argument these are not what they are of a large one: infinite, or no number.
STORED_BEFORE = frozenset(("Elu", "Gelu", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Softplus", "Swish"))


@lowers("Conv*")
def lower_convolution(node: Node, to: GraphBuilder) -> None:
    """Lower the convolution, then the fused stages from left to right."""
    decoded = convolution(to.model, to.graph, node, to.registers)
    whole = with_whole_stride(node, decoded, to)
    decoded, output = whole.convolution, whole.last.outputs[0]
    value = convolve_integers(decoded, node.inputs[0], output, to) or _convolve(decoded, node.inputs[0], to)
    if decoded.computed_bias is not None:
        bias = to.add("Reshape", to.value(decoded.computed_bias), to.ints([1, -1, 1, 1]))
        value = to.add("Add", value, bias)
    for stage in decoded.stages:
        if _is_stored_before(stage) and to.tensor(node.outputs[0]).dtype is DType.FLOAT16:
            value = to.half(value)
        value = _apply(stage, value, to)
    for tensor in whole.between:
        grid = grid_of(to.tensor(tensor))
        value = value if grid is None else to.rounded(value, grid)
    if (whole.between or not decoded.stages) and is_unrounded(whole.last, to):
        to.define(output, value)
    else:
        to.result(output, value)


def _is_stored_before(stage: Stage) -> bool:
    """Check if the official simulator stores the result of the convolution, which may be infinite, before the stage."""
    if isinstance(stage, Rounding):
        return False
    return (stage.function if isinstance(stage, Activation) else stage.operator) in STORED_BEFORE


def _convolve(decoded: Convolution, source: int, to: GraphBuilder) -> str:
    """Convolve in float32."""
    value = to.value(source)
    value = value if decoded.transposed else cropped(value, decoded.pads, to)
    operands = [value, to.initializer(decoded.weight.real())]
    if decoded.bias is not None:
        operands.append(to.initializer(decoded.bias))
    return to.add("ConvTranspose" if decoded.transposed else "Conv", *operands, **_geometry(decoded))


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
        return to.rounded(value, grid_of_rounding(stage))
    return to.add(stage.operator, value, to.value(stage.operand))
