"""Attention, which newer compilers keep in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....model.graph import DType
from ..grid import Grid, grid_of
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.graph import Node
    from ..builder import GraphBuilder

# A mask whose values are further apart than any scores: what it adds leaves no more of them than its own steps.
_OVERWHELMING = 1000.0


@lowers("exSDPAttention")
def scaled_dot_product_attention(node: Node, to: GraphBuilder) -> None:
    """Queries, keys and values, all [heads, depth, 1, length], to softmax(scale * Q'K) V', transposed back.

    A fourth operand [heads or 1, keys, 1, queries or 1] is added to the scores: it masks some of them.
    """
    operands = to.operands(node)
    queries, keys, values = (to.add("Squeeze", to.value(index), to.ints([2])) for index in operands[:3])
    scores = to.add("MatMul", to.add("Transpose", queries, perm=[0, 2, 1]), keys)
    scores = to.add("Mul", scores, to.floats(float(node.attributes["scale"])))
    mask = operands[3] if len(operands) > 3 else None
    if mask is not None:
        scores = _masked(scores, mask, to)
    weights = to.add("Softmax", scores, axis=-1)
    if mask is not None and _leaves_one_key(mask, to):
        weights = to.rounded(weights, Grid(DType.INT8, 1 / 255, -128))
    mixed = to.add("MatMul", weights, to.add("Transpose", values, perm=[0, 2, 1]))
    back = to.add("Transpose", mixed, perm=[0, 2, 1])
    to.result(node.outputs[0], to.add("Unsqueeze", back, to.ints([2])))


def _masked(scores: str, mask: int, to: GraphBuilder) -> str:
    """The sum of scores and mask.

    The official simulator rounds it to int8, to a scale that is not in the file. A mask of -10000 determines it alone,
    and then all scores of one query that are not masked become the same: so coarse is the scale.
    """
    added = to.add("Transpose", to.add("Squeeze", to.value(mask), to.ints([2])), perm=[0, 2, 1])
    total = to.add("Add", scores, added)
    grid = grid_of(to.tensor(mask))
    return total if grid is None or grid.scale * 255 < _OVERWHELMING else to.rounded(total, grid)


def _leaves_one_key(mask: int, to: GraphBuilder) -> bool:
    """Whether some query sees one key only, as the first one behind a causal mask does: its weight is 1.

    The scale of the weights, which is not in the file either, was chosen for 1 then.
    """
    if grid_of(to.tensor(mask)) is None or not to.is_constant(mask):
        return False
    seen = (to.numbers(mask) > -_OVERWHELMING / 2).sum(axis=1)
    return bool(np.any(seen == 1))
