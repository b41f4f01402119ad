"""Products of two activations (a product with a constant is a convolution by the time it is in the file)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.unsupported import UnsupportedFormError
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.graph import Node
    from ..builder import GraphBuilder

COMBINED = {"add": "Add", "mul": "Mul"}


@lowers("exMatMul")
def matmul(node: Node, to: GraphBuilder) -> None:
    """``A`` [B, K, 1, M] and ``B`` [B, K, 1, N] to [B, M, 1, N]: the transpose of A times B, for each batch.

    A third operand may be added to the product or multiplied with it.
    """
    left, right = (to.add("Squeeze", to.value(index), to.ints([2])) for index in node.inputs[:2])
    product = to.add("MatMul", to.add("Transpose", left, perm=[0, 2, 1]), right)
    value = to.add("Reshape", product, to.ints(to.shape(node.outputs[0])))
    if kind := node.attributes.get("c_type"):
        if kind not in COMBINED:
            raise UnsupportedFormError(f"its third operand is combined by {kind!r}, which is unknown")
        value = to.add(COMBINED[kind], value, to.value(node.inputs[2]))
    to.result(node.outputs[0], value)


@lowers("MatMul")
def plain_matmul(node: Node, to: GraphBuilder) -> None:
    """ONNX's own, computed by the CPU."""
    to.result(node.outputs[0], to.add("MatMul", *to.values(node.inputs[:2])))
