# SPDX-License-Identifier: Apache-2.0
"""Attention, which newer compilers keep in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.operators.attention import attention_roundings
from ..grid import grid_of, grid_of_rounding
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder
    from ..grid import Grid

# From this span on, the steps of a quantised mask exceed all differences between scores.
_OVERWHELMING = 1000.0


@lowers("exSDPAttention")
def scaled_dot_product_attention(node: Node, to: GraphBuilder) -> None:
    """Compute softmax(scale * Q'K) V', transposed back, of Q, K and V, all [heads, depth, 1, length].

    A fourth operand [heads or 1, keys, 1, queries or 1] is added to the scores: it masks some of them.
    """
    operands = to.operands(node)
    queries, keys, values = (to.add("Squeeze", to.value(index), to.ints([2])) for index in operands[:3])
    scores = to.add("MatMul", to.add("Transpose", queries, perm=[0, 2, 1]), keys)
    scores = to.add("Mul", scores, to.floats(float(node.attributes["scale"])))
    roundings = attention_roundings(to.model, to.graph, node, to.registers)
    grid = None if roundings is None else grid_of_rounding(roundings.scores)
    if len(operands) > 3:
        scores = to.add("Add", scores, _along_keys(operands[3], to))
        grid = _overwhelming(operands[3], to) or grid
    weights = to.add("Softmax", scores if grid is None else to.rounded(scores, grid), axis=-1)
    if roundings is not None:
        weights = to.rounded(weights, grid_of_rounding(roundings.weights))
    mixed = to.add("MatMul", weights, to.add("Transpose", values, perm=[0, 2, 1]))
    back = to.add("Transpose", mixed, perm=[0, 2, 1])
    to.result(node.outputs[0], to.add("Unsqueeze", back, to.ints([2])))


def _along_keys(mask: int, to: GraphBuilder) -> str:
    return to.add("Transpose", to.add("Squeeze", to.value(mask), to.ints([2])), perm=[0, 2, 1])


def _overwhelming(mask: int, to: GraphBuilder) -> Grid | None:
    """Return the grid of the sum of scores and mask if the mask alone determines it.

    A mask of -10000 does: its scale is so coarse that all unmasked scores of one query become the same, and too coarse
    to be read from the commands with any precision.
    """
    grid = grid_of(to.tensor(mask))
    return None if grid is None or grid.scale * 255 < _OVERWHELMING else grid
