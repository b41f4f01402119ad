# SPDX-License-Identifier: Apache-2.0
"""The compiler's commands for the NPU: tasks, register writes and look-up tables.

A task is a list of register writes. Most of a model can be read from its graph, but some numbers exist only here: the
scales of quantised convolutions, the bounds of a fused clip, the slope of a fused leaky ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import RknnModelError
from ..format.graph import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..format.elements import Array
    from ..format.file import Model
    from ..format.graph import Graph, Node, Tensor

_TASK = np.dtype(
    [
        ("flags", "<u4"),
        ("node", "<u4"),
        ("enable_mask", "<u4"),
        ("interrupt_mask", "<u4"),
        ("interrupt_clear", "<u4"),
        ("interrupt_status", "<u4"),
        ("amount", "<u4"),
        ("offset", "<u4"),
        ("address", "<u8"),
    ]
)
_MAX_COMMANDS = 4096  # of one task; many tasks may point to the same ones
_MAX_DECODED = 1 << 22  # commands, of all tasks of a graph that are decoded
_LUT_LOAD = 0x18  # enable_mask of a task that only loads a look-up table

_LUT_ACCESS, _LUT_DATA = 0x4100, 0x4104
_LUT_ENTRIES = 513
_LE_TABLE, _LO_TABLE = 0x20000, 0x30000


@dataclass(frozen=True)
class Task:
    """One unit of work of one node on one core; ``registers`` maps register addresses to 32-bit values."""

    node: int
    enable_mask: int  # the blocks of the NPU that it uses: 0x1D a convolution, 0x18 a table load, 0x60 pooling
    registers: dict[int, int]


@dataclass(frozen=True)
class LookupTable:
    """The two tables of an activation function: ``le`` for negative arguments, ``lo`` for the others, int32 [513]."""

    le: Array
    lo: Array


class RegisterFile:
    """The tasks of a graph, by node, decoded on use."""

    def __init__(self, model: Model, graph: Graph) -> None:
        self._tasks = _records(model, graph)
        self._words = np.frombuffer(_data(model, graph, Kind.REGISTER_COMMANDS), "<u8")
        self._left = _MAX_DECODED

    def first_compute(self, node: Node) -> dict[int, int]:
        """Return the registers of the node's first computing task in the one-core list; empty if it has none."""
        for index in self._indices(node):
            if int(self._tasks["enable_mask"][index]) != _LUT_LOAD:
                return self._decode(index).registers
        return {}

    def tasks(self, node: Node) -> tuple[Task, ...]:
        """Return all tasks of the node: for one core, then for two cores, then for three."""
        return tuple(self.each_task(node))

    def each_task(self, node: Node) -> Iterator[Task]:
        """Decode the same tasks one by one, on use: some nodes have hundreds."""
        return map(self._decode, self._indices(node))

    def _indices(self, node: Node) -> list[int]:
        # The garbage after the last task may look like another one.
        return self._by_node.get(node.index, [])[: sum(node.tasks) + sum(node.lut_tasks)]

    @cached_property
    def _by_node(self) -> dict[int, list[int]]:
        indices: dict[int, list[int]] = {}
        for index, node in enumerate(self._tasks["node"].tolist()):
            indices.setdefault(node, []).append(index)
        return indices

    def _decode(self, index: int) -> Task:
        record = self._tasks[index]
        start, rest = divmod(int(record["address"]) + int(record["offset"]), 8)
        amount = int(record["amount"])
        self._left -= amount
        if self._left < 0:
            raise RknnModelError(f"the model file is damaged: its tasks have over {_MAX_DECODED} register commands")
        if rest or amount > _MAX_COMMANDS or start + amount > len(self._words):
            raise RknnModelError(
                f"the model file is damaged: task {index} has {amount} register commands at word {start}, "
                f"but there are {len(self._words)}"
            )
        words = self._words[start : start + amount]
        addresses = (words & np.uint64(0xFFFF)).tolist()
        values = ((words >> np.uint64(16)) & np.uint64(0xFFFFFFFF)).tolist()
        return Task(int(record["node"]), int(record["enable_mask"]), dict(zip(addresses, values)))


def lookup_table(model: Model, graph: Graph, tensor: Tensor) -> LookupTable:
    """Return the tables in ``tensor``, whose kind is ``Kind.LUT``."""
    data = model.constant_bytes(graph, tensor)
    words = np.frombuffer(
        data[: len(data) // 8 * 8], np.dtype([("zero", "<u2"), ("register", "<u2"), ("value", "<i4")])
    )
    return LookupTable(le=_lut_part(tensor, words, _LE_TABLE), lo=_lut_part(tensor, words, _LO_TABLE))


def _lut_part(tensor: Tensor, words: Array, table: int) -> Array:
    """Return the entries written after the command that selects ``table``."""
    selects = np.flatnonzero((words["register"] == _LUT_ACCESS) & (words["value"] == table))
    if len(selects):
        entries = words[selects[0] + 1 : selects[0] + 1 + _LUT_ENTRIES]
        if len(entries) == _LUT_ENTRIES and (entries["register"] == _LUT_DATA).all():
            return np.ascontiguousarray(entries["value"])
    raise RknnModelError(f"the model file is damaged: look-up table {tensor.name!r} has no part {table:#x}")


def _data(model: Model, graph: Graph, kind: Kind) -> memoryview:
    """Return the data of the graph's one tensor of ``kind``, in whole 64-bit words; empty if all runs on the CPU."""
    for tensor in graph.tensors:
        if tensor.kind is kind:
            data = model.constant_bytes(graph, tensor)
            return data[: len(data) // 8 * 8]
    return memoryview(b"")


def _records(model: Model, graph: Graph) -> Array:
    data = _data(model, graph, Kind.TASKS)
    return np.frombuffer(data[: len(data) // _TASK.itemsize * _TASK.itemsize], _TASK)
