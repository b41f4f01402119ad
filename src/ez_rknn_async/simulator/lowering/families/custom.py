# SPDX-License-Identifier: Apache-2.0
"""Custom operators: computed by the program that runs the model, not by the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.format.graph import DType
from ..registry import lowers

if TYPE_CHECKING:
    from ....model.format.graph import Node
    from ..builder import GraphBuilder


@lowers("cst*")
def custom_operator(node: Node, to: GraphBuilder) -> None:
    """Call the author's function, which reads and writes real numbers, and round the results like the NPU."""
    operands = {index: _as_stored(to, index, to.value(index)) for index in to.operands(node)}
    for index, value in zip(node.outputs, to.custom(node, operands)):
        to.result(index, _as_stored(to, index, value))


def _as_stored(to: GraphBuilder, index: int, value: str) -> str:
    """Return ``value`` as it passes between NPU and operator; float16 loses digits there."""
    return to.half(value) if to.tensor(index).dtype == DType.FLOAT16 else value
