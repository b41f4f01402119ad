# SPDX-License-Identifier: Apache-2.0
"""The positions of all fields of a good model file, found with the parser's own tables."""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ez_rknn_async.model import Kind, Model, load
from ez_rknn_async.model.format import bson, flatbuffer
from ez_rknn_async.model.format.container import FLATBUFFER, open_container
from ez_rknn_async.model.format.schema import ROOT, UNKNOWN_PARAMETERS, parameter_types


@dataclass(frozen=True)
class Number:
    """A number of the file, inside a table or a vector."""

    position: int
    code: str  # of struct
    field: str  # such as "Tensor.shape"
    table: int  # the position of its table


@dataclass(frozen=True)
class Stretch:
    """A range of the file's bytes with one meaning."""

    position: int
    size: int
    field: str


@dataclass
class Anatomy:
    """The parts of one file, by kind; positions are in the file."""

    numbers: list[Number] = field(default_factory=list)
    lengths: list[Number] = field(default_factory=list)
    offsets: list[Number] = field(default_factory=list)
    field_lists: list[Stretch] = field(default_factory=list)
    texts: list[Stretch] = field(default_factory=list)
    documents: list[Stretch] = field(default_factory=list)
    data: list[Stretch] = field(default_factory=list)  # of tensors

    def by_field(self, numbers: list[Number]) -> list[list[Number]]:
        """Group ``numbers`` by field, so that a field of few tables is chosen as often as one of many."""
        groups: dict[str, list[Number]] = defaultdict(list)
        for number in numbers:
            groups[number.field].append(number)
        return list(groups.values())


def dissect(content: bytes) -> Anatomy:
    """Return the anatomy of a file that loads."""
    return _Dissection(content).anatomy


class _Dissection:
    def __init__(self, content: bytes) -> None:
        self.anatomy = Anatomy()
        self._content = content
        container = open_container(memoryview(content))
        self._reader = container.reader
        with load(content) as model:
            self._parameters = parameter_types(model.toolkit_version)
            self._owner = 0
            self._offset(0, "root")
            self._table(ROOT, container.root)
            self._data(model)
        summary = FLATBUFFER + len(container.reader.data)
        (size,) = struct.unpack_from("<Q", content, summary)
        self.anatomy.texts.append(Stretch(summary + 8, size, "summary"))

    def _table(self, table: flatbuffer.TableType, position: int) -> None:
        (back,) = struct.unpack_from("<i", self._reader.data, position)
        (size,) = struct.unpack_from("<H", self._reader.data, position - back)
        self.anatomy.field_lists.append(Stretch(FLATBUFFER + position - back, size, table.name))
        self.anatomy.offsets.append(Number(FLATBUFFER + position, "<i", f"{table.name} to field list", position))
        _, offsets = self._reader.table(position, 1 + max((slot for slot, _, _ in table.rows), default=-1))
        values = table.read(self._reader, position)
        for slot, name, kind in table.rows:
            if slot < len(offsets) and offsets[slot]:
                self._owner = position
                self._field(f"{table.name}.{name}", kind, position + offsets[slot], values)

    def _field(self, name: str, kind: Any, position: int, table: dict[str, Any]) -> None:
        if isinstance(kind, flatbuffer.Scalar):
            self.anatomy.numbers.append(Number(FLATBUFFER + position, kind._struct.format, name, self._owner))
            return
        self._offset(position, name)
        if isinstance(kind, flatbuffer.Nested):
            self._table(kind._table, self._reader.target(position))
        elif isinstance(kind, flatbuffer.Position):
            self._table(self._parameters.get(table["parameters_type"], UNKNOWN_PARAMETERS), table["parameters"])
        elif isinstance(kind, flatbuffer.NestedList):
            start, count = self._vector(position, 4, name)
            for index in range(count):
                self._offset(start + 4 * index, name)
                self._table(kind._table, self._reader.target(start + 4 * index))
        else:
            self._leaf(name, kind, position)

    def _leaf(self, name: str, kind: Any, position: int) -> None:
        """Record a vector of numbers, bytes or texts."""
        start, count = self._vector(position, getattr(kind, "_item_size", 1), name)
        if isinstance(kind, flatbuffer.Vector):
            for index in range(count):
                at = FLATBUFFER + start + index * kind._item_size
                self.anatomy.numbers.append(Number(at, "<" + kind._code, name, self._owner))
        elif isinstance(kind, flatbuffer.Placed):
            is_document = bson.is_document(self._reader.data[start : start + count])
            documents = self.anatomy.documents if is_document else self.anatomy.data
            documents.append(Stretch(FLATBUFFER + start, count, name))
        elif isinstance(kind, flatbuffer.Texts):
            for index in range(count):
                self._offset(start + 4 * index, name)
                self._leaf(name, flatbuffer.Text(), start + 4 * index)
        elif not isinstance(kind, flatbuffer.Raw):
            self.anatomy.texts.append(Stretch(FLATBUFFER + start, count, name))

    def _vector(self, position: int, item_size: int, name: str) -> tuple[int, int]:
        start, count = self._reader.vector(position, item_size)
        self.anatomy.lengths.append(Number(FLATBUFFER + start - 4, "<I", name, self._owner))
        return start, count

    def _offset(self, position: int, name: str) -> None:
        self.anatomy.offsets.append(Number(FLATBUFFER + position, "<I", name, self._owner))

    def _data(self, model: Model) -> None:
        for tensor in model.graphs[0].tensors:
            data = model.buffer(tensor.buffer)
            if tensor.kind is not Kind.DUMMY and len(data):
                # The position of these bytes in the file.
                position = _address(data) - _address(memoryview(self._content))
                self.anatomy.data.append(Stretch(position, len(data), tensor.kind.name))


def _address(data: memoryview) -> int:
    import numpy as np

    return int(np.frombuffer(data, np.uint8).__array_interface__["data"][0])
