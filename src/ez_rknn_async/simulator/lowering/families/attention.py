"""Attention, which newer compilers keep in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import lowers

if TYPE_CHECKING:
    from ....model.graph import Node
    from ..builder import GraphBuilder


@lowers("exSDPAttention")
def scaled_dot_product_attention(node: Node, to: GraphBuilder) -> None:
    """Queries, keys and values, all [heads, depth, 1, length], to softmax(scale * Q'K) V', transposed back."""
    queries, keys, values = (to.add("Squeeze", to.value(index), to.ints([2])) for index in node.inputs[:3])
    scores = to.add("MatMul", to.add("Transpose", queries, perm=[0, 2, 1]), keys)
    weights = to.add("Softmax", to.add("Mul", scores, to.floats(float(node.attributes["scale"]))), axis=-1)
    mixed = to.add("MatMul", weights, to.add("Transpose", values, perm=[0, 2, 1]))
    back = to.add("Transpose", mixed, perm=[0, 2, 1])
    to.result(node.outputs[0], to.add("Unsqueeze", back, to.ints([2])))
