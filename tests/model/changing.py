# SPDX-License-Identifier: Apache-2.0
"""Good files with one number of a table changed."""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import TYPE_CHECKING

from file_fuzzing.anatomy import dissect

from ez_rknn_async.model.format.container import open_container
from ez_rknn_async.model.format.schema import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from file_fuzzing.anatomy import Number


class Changing:
    """Copies a file with other values in some fields of the first graph's tensors or nodes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        container = open_container(memoryview(content))
        root = ROOT.read(container.reader, container.root)
        self._graph = root["graphs"][0]
        self._numbers: dict[tuple[int, str], list[Number]] = defaultdict(list)
        for number in dissect(content).numbers:
            self._numbers[number.table, number.field].append(number)

    def tensor(self, index: int, values: Mapping[str, float | Sequence[float]]) -> bytes:
        """Return the file with other ``values``, by field name, in tensor ``index``."""
        return self._changed("Tensor", self._graph["tensors"][index]["@"], values)

    def node(self, index: int, values: Mapping[str, float | Sequence[float]]) -> bytes:
        """Return the file with other ``values`` in node ``index``."""
        return self._changed("Node", self._graph["nodes"][index]["@"], values)

    def parameters(self, index: int, table: str, values: Mapping[str, float | Sequence[float]]) -> bytes:
        """Return the file with other typed attributes, from the table of that name, in node ``index``."""
        return self._changed(table, self._graph["nodes"][index]["parameters"], values)

    def graph(self, values: Mapping[str, Sequence[float]]) -> bytes:
        """Return the file with other values in the graph itself."""
        return self._changed("Graph", self._graph["@"], values)

    def _changed(self, table: str, position: int, values: Mapping[str, float | Sequence[float]]) -> bytes:
        content = bytearray(self._content)
        for field, value in values.items():
            numbers = self._numbers[position, f"{table}.{field}"]
            new = [value] if isinstance(value, (int, float)) else list(value)
            assert len(new) == len(numbers), f"{table}.{field} is {len(numbers)} numbers"
            for number, one in zip(numbers, new):
                struct.pack_into(number.code, content, number.position, one)
        return bytes(content)
