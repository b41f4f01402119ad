# SPDX-License-Identifier: Apache-2.0
"""Products of two activations (a product with a constant is a convolution by the time it is in the file)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.format.graph import DType, Layout
from ....model.operators.matmul_weight import matmul_weight
from ....model.operators.unsupported import UnsupportedFormError
from ..grid import Grid
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder

COMBINED = {"add": "Add", "mul": "Mul"}


@lowers("exMatMul")
def matmul(node: Node, to: GraphBuilder) -> None:
    """Multiply the transpose of ``A`` [B, K, 1, M] by ``B`` [B, K, 1, N], for each batch, to [B, M, 1, N].

    A third operand may be added to the product or multiplied with it.
    """
    # A product with a constant is a convolution for the official simulator.
    packed = to.tensor(node.inputs[0]).layout is Layout.PACKED_WEIGHT
    right = to.value(node.inputs[1]) if packed else _symmetric(node.inputs[1], to)
    right = to.add("Squeeze", right, to.ints([2]))
    product = to.add("MatMul", _turned(node.inputs[0], to, node), right)
    value = to.add("Reshape", product, to.ints(to.shape(node.outputs[0])))
    if kind := node.attributes.get("c_type"):
        if kind not in COMBINED:
            raise UnsupportedFormError(f"its third operand is combined by {kind!r}, which is unknown")
        value = to.add(COMBINED[kind], value, to.value(node.inputs[2]))
    to.result(node.outputs[0], value)


def _symmetric(index: int, to: GraphBuilder) -> str:
    """Return the second operand, which like the weights of a convolution has the zero point 0.

    The official simulator rounds it again for that; the file does not mention it.
    """
    value, quantization = to.value(index), to.tensor(index).quantization
    if quantization is None or not to.on_grid(index) or quantization.span is None:
        return value
    largest = max(map(abs, quantization.span))
    return to.rounded(value, Grid(DType.INT8, largest / 127, 0)) if largest > 0 else value


def _turned(index: int, to: GraphBuilder, node: Node) -> str:
    """Return the first operand [B, K, 1, M] as [B, M, K]; a constant may be packed like a convolution's weight."""
    if to.tensor(index).layout is Layout.PACKED_WEIGHT:
        return to.initializer(matmul_weight(to.model, to.graph, node, to.registers))
    return to.add("Transpose", to.add("Squeeze", to.value(index), to.ints([2])), perm=[0, 2, 1])


@lowers("MatMul")
def plain_matmul(node: Node, to: GraphBuilder) -> None:
    """Lower ONNX's own operator, which the CPU computes."""
    to.result(node.outputs[0], to.add("MatMul", *to.values(node.inputs[:2])))
