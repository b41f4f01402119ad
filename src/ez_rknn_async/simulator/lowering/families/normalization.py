# SPDX-License-Identifier: Apache-2.0
"""Normalisation over some axes, or with constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....model.format.graph import DType, Kind
from ....model.operators.constants import constant
from ....model.operators.unsupported import UnsupportedFormError
from ..grid import grid_of
from ..registry import lowers
from .activation import fused

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder


@lowers("exNorm")
def norm(node: Node, to: GraphBuilder) -> None:
    """Divide by the deviation (``layer``), the root mean square (``rms``) or the length (``l2``, ``pixel``)."""
    mode, axes = node.attributes["mode"], [int(axis) for axis in node.attributes["axes"]]
    value = to.value(node.inputs[0])
    if mode == "layer":
        value = to.add("Sub", value, to.add("ReduceMean", value, axes=axes, keepdims=1))
    elif mode not in ("rms", "l2", "pixel"):
        raise UnsupportedFormError(f"its mode {mode!r} is unknown")
    square = to.add("Mul", value, value)
    if mode in ("l2", "pixel"):
        spread = to.add("ReduceSum", square, to.ints(axes), keepdims=1)
    else:
        spread = to.add("ReduceMean", square, axes=axes, keepdims=1)
    length = to.add("Sqrt", to.add("Add", spread, to.floats(float(node.attributes["eps"]))))
    value = to.add("Div", value, length)
    affine = [index for index in node.inputs[1:] if to.tensor(index).kind == Kind.CONSTANT]
    for operator, index in zip(("Mul", "Add"), affine):
        value = to.add(operator, value, to.value(index))
    to.result(node.outputs[0], value)


@lowers("InstanceNormalization", "LayerNormalization")
def normalization_with_operands(node: Node, to: GraphBuilder) -> None:
    """Normalise as ONNX does; the compiler leaves these to the CPU where scale or shift is computed."""
    given: dict[str, float | int] = {"epsilon": float(node.attributes.get("epsilon") or 1e-5)}
    if node.op == "LayerNormalization":
        given["axis"] = int(node.attributes.get("axis", -1))
    operands = [index for place in range(3) if (index := to.operand(node, place)) is not None]
    to.result(node.outputs[0], to.add(node.op, *to.values(operands), **given))


@lowers("GroupNormalization")
def group_normalization(node: Node, to: GraphBuilder) -> None:
    """Normalise each group of channels to mean 0 and variance 1; scale and shift are per group or per channel."""
    shape, groups = to.shape(node.inputs[0]), int(node.attributes["num_groups"])
    if groups < 1 or shape[1] % groups:
        raise ValueError(f"{shape[1]} channels cannot be {groups} groups")
    plain = [to.initializer(np.full(groups, number, np.float32)) for number in (1.0, 0.0)]
    grouped = to.add("Reshape", to.value(node.inputs[0]), to.ints([shape[0], groups, -1]))
    epsilon = float(node.attributes.get("epsilon") or 1e-5)
    value = to.add("InstanceNormalization", grouped, *plain, epsilon=epsilon)
    value = to.add("Reshape", value, to.ints([shape[0], groups, shape[1] // groups, -1]))
    for operator, index in zip(("Mul", "Add"), node.inputs[1:3]):
        factors = to.add("Reshape", to.value(index), to.ints([1, groups, -1, 1]))
        value = to.add(operator, value, factors)
    to.result(node.outputs[0], to.add("Reshape", value, to.ints(shape)))


@lowers("LRN")
def local_response_normalization(node: Node, to: GraphBuilder) -> None:
    """Divide by a power of the sum of squares of neighbouring channels."""
    defaults = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    given = {name: float(node.attributes.get(name, default)) for name, default in defaults.items()}
    size = int(node.attributes["size"])
    to.result(node.outputs[0], to.add("LRN", to.value(node.inputs[0]), size=size, **given))


@lowers("LpNormalization")
def lp_normalization(node: Node, to: GraphBuilder) -> None:
    """Normalise to length 1 along one axis. Compilers before 2.5 use it also to divide by a length."""
    axis, power = (int(node.attributes.get(name, default)) for name, default in (("axis", -1), ("p", 2)))
    to.result(node.outputs[0], to.add("LpNormalization", to.value(node.inputs[0]), axis=axis, p=power))


@lowers("MeanVarianceNormalization")
def mean_variance_normalization(node: Node, to: GraphBuilder) -> None:
    """Normalise to mean 0 and variance 1 over some axes."""
    axes = [int(axis) for axis in node.attributes.get("axes", (0, 2, 3))]
    to.result(node.outputs[0], to.add("MeanVarianceNormalization", to.value(node.inputs[0]), axes=axes))


@lowers("BatchNormalization*")
def batch_normalization(node: Node, to: GraphBuilder) -> None:
    """Scale and shift each channel, perhaps with an activation after it.

    Those that can be folded into a convolution are no longer in the file.
    """
    if to.tensor(node.inputs[1]).dtype == DType.INT16:
        value = _quantized_batch_normalization(node, to)
    else:
        epsilon = max(1e-9, float(node.attributes.get("epsilon", 0.0)))
        value = to.add("BatchNormalization", *to.values(node.inputs[:5]), epsilon=epsilon)
    to.result(node.outputs[0], fused(to, node.op[len("BatchNormalization") :], value, node.attributes))


def _quantized_batch_normalization(node: Node, to: GraphBuilder) -> str:
    """Scale and shift int8: the bias is in units of input times scale, and includes the input's zero point."""
    source, scale, bias = (to.tensor(index) for index in node.inputs[:3])
    grid = grid_of(source)
    if grid is None or scale.quantization is None:
        raise UnsupportedFormError("its int16 scale comes without a quantised input")
    weight = constant(to.model, to.graph, scale).ravel().astype(np.float64)
    unit = scale.quantization.scale[0]
    shift = constant(to.model, to.graph, bias).ravel().astype(np.float64) + grid.zero_point * weight
    along_channels = (-1,) + (1,) * (len(source.shape) - 2)
    factor = to.initializer((weight * unit).astype(np.float32).reshape(along_channels))
    offset = to.initializer((shift * unit * grid.scale).astype(np.float32).reshape(along_channels))
    return to.add("Add", to.add("Mul", to.value(node.inputs[0]), factor), offset)
