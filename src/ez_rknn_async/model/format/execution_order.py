# SPDX-License-Identifier: Apache-2.0
"""A check of the execution order: each tensor is written once, before it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .graph import DUMMY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .flatbuffer import Reader
    from .graph import Node


def check_execution_order(reader: Reader, nodes: Sequence[Node], positions: Sequence[int]) -> None:
    """Refuse nodes that overwrite each other's results or read a tensor before it is computed.

    Args:
        positions: of the nodes in the FlatBuffer.
    """
    makers: dict[int, int] = {}
    for node in nodes:
        for index in set(node.outputs) - {DUMMY}:
            if makers.setdefault(index, node.index) != node.index:
                reader.fail(positions[node.index], f"operator {node.name!r} overwrites the result of another one")
    for node in nodes:
        if any(makers.get(index, -1) >= node.index for index in node.inputs):
            reader.fail(positions[node.index], f"operator {node.name!r} reads what is only computed behind it")
