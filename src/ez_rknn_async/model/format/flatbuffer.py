# SPDX-License-Identifier: Apache-2.0
"""A reader for untrusted FlatBuffers.

:class:`Reader` is the only code that touches the bytes: every access is checked against the end of the data and every
fault is an :class:`~ez_rknn_async.errors.RknnModelError` with the offset in the file. A :class:`TableType` lists the
fields of a table as (slot, name, type); :meth:`TableType.read` turns the bytes into a ``dict``.

A FlatBuffer may point at the same bytes from many places, so a small hostile file could describe an enormous structure.
The reader therefore has a *budget*: every byte that becomes a Python value is charged, so a file cannot describe much
more than it holds. Real files use at most nine tenths of it. A large hostile file could still cost many times its size,
as Python values are large; so there are :data:`LIMITS` too, over a hundred times those of the largest known model.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from ...errors import RknnModelError
from .text import parse_text

_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")

LIMITS = {"tables": 2**17, "numbers": 2**20, "bytes of text": 2**24, "bytes of attributes": 2**20}
_SPARE_BUDGET = 64 * 1024  # so that small files, which share more, are not refused
_OFFSET_SIZE = 4
_MEMBER_COST = 64  # of a table without its members: about the bytes that a real one takes


class Reader:
    """A bounds-checked reader of little-endian values in ``data``, which begins at byte ``base`` of the file."""

    def __init__(self, data: memoryview, base: int) -> None:
        self.data = data
        self.base = base
        self._size = len(data)
        self._budget = self._size + _SPARE_BUDGET
        self._left = dict(LIMITS)

    def fail(self, position: int, message: str) -> NoReturn:
        """Raise the error for a fault at ``position`` of the data."""
        raise RknnModelError(f"the model file is damaged: {message}", offset=self.base + position)

    def need(self, position: int, size: int, what: str) -> None:
        """Check that ``size`` bytes at ``position`` are inside the data."""
        if position < 0 or size > self._size - position:
            self.fail(position, f"{what} of {size} bytes ends outside the {self._size} bytes of the FlatBuffer")

    def charge(self, position: int, size: int) -> None:
        """Count ``size`` bytes that become Python values against the budget."""
        self._budget -= size
        if self._budget < 0:
            self.fail(position, "its parts overlap so much that it describes more than it holds")

    def count(self, position: int, what: str, number: int) -> None:
        """Count ``number`` more items of the kind ``what``, a key of :data:`LIMITS`, against its limit."""
        self._left[what] -= number
        if self._left[what] < 0:
            self.fail(position, f"it has more than {LIMITS[what]} {what}")

    def target(self, position: int) -> int:
        """Follow the offset stored at ``position``; offsets are positive and relative to themselves."""
        self.need(position, _OFFSET_SIZE, "an offset")
        target = position + int(_U32.unpack_from(self.data, position)[0])
        if target > self._size - _OFFSET_SIZE or target == position:
            self.fail(position, f"an offset points to byte {self.base + target}, outside the FlatBuffer")
        return target

    def vector(self, position: int, item_size: int, limit: int | None = None) -> tuple[int, int]:
        """Return the start and number of items of the vector whose offset is stored at ``position``."""
        start = self.target(position)
        count = int(_U32.unpack_from(self.data, start)[0])
        if count * item_size > self._size - start - _OFFSET_SIZE:
            self.fail(start, f"a vector of {count} items of {item_size} bytes ends outside the FlatBuffer")
        if limit is not None and count > limit:
            self.fail(start, f"a vector has {count} items where at most {limit} make sense")
        return start + _OFFSET_SIZE, count

    def text(self, position: int) -> str:
        """Return the string whose offset is stored at ``position``."""
        start, count = self.vector(position, 1)
        self.charge(start, _OFFSET_SIZE + count)
        self.count(start, "bytes of text", count)
        self.need(start + count, 1, "the end of a string")
        if self.data[start + count] != 0:
            self.fail(start + count, "a string does not end with a zero byte")
        try:
            text = str(self.data[start : start + count], "utf-8")
        except UnicodeDecodeError as error:
            self.fail(start + error.start, "a string is not UTF-8")
        if "\0" in text:
            self.fail(start, "a string has a zero byte before its end")
        return text

    def table(self, position: int, slots: int) -> tuple[int, tuple[int, ...]]:
        """Read the table at ``position``: its inline size and the offsets of its first ``slots`` fields (0: absent)."""
        self.need(position, _OFFSET_SIZE, "a table")
        vtable = position - int(_I32.unpack_from(self.data, position)[0])
        self.need(vtable, 4, "a table's field list")
        vtable_size, table_size = struct.unpack_from("<HH", self.data, vtable)
        if vtable_size < 4 or vtable_size % 2:
            self.fail(vtable, f"a table's field list has an impossible size of {vtable_size} bytes")
        self.need(vtable, vtable_size, "a table's field list")
        if table_size < _OFFSET_SIZE:
            self.fail(vtable + 2, f"a table has an impossible size of {table_size} bytes")
        self.need(position, table_size, "a table")
        present = min(slots, (vtable_size - 4) // 2)
        return table_size, struct.unpack_from(f"<{present}H", self.data, vtable + 4)


class FieldType(Protocol):
    """The storage of one kind of field: its inline size, its value when absent, and its decoder."""

    @property
    def size(self) -> int:
        """Bytes inside the table."""

    @property
    def default(self) -> Any:
        """The value of an absent field."""

    def read(self, reader: Reader, position: int) -> Any:
        """Return the value of the field stored at ``position``."""


class Scalar:
    """A number inside the table; ``code`` is a format character of :mod:`struct`."""

    def __init__(self, code: str, default: float = 0) -> None:
        self._struct = struct.Struct("<" + code)
        self.size = self._struct.size
        self.default = default

    def read(self, reader: Reader, position: int) -> Any:
        """Return the number; the table was checked to hold it."""
        return self._struct.unpack_from(reader.data, position)[0]


class Vector:
    """A vector of at most ``limit`` numbers, as a tuple; with ``exactly``, of ``limit`` or none."""

    size = _OFFSET_SIZE
    default: tuple[Any, ...] = ()

    def __init__(self, code: str, limit: int, exactly: bool = False) -> None:
        self._code = code
        self._item_size = struct.calcsize("<" + code)
        self._limit = limit
        self._exactly = exactly

    def read(self, reader: Reader, position: int) -> tuple[Any, ...]:
        """Return all items of the vector."""
        start, count = reader.vector(position, self._item_size, self._limit)
        if self._exactly and count not in (0, self._limit):
            reader.fail(start, f"a vector has {count} items where {self._limit} are needed")
        reader.charge(start, _OFFSET_SIZE + count * self._item_size)
        reader.count(start, "numbers", count)
        return struct.unpack_from(f"<{count}{self._code}", reader.data, start)


class Raw:
    """A vector that is not decoded: the bytes of its items, as a view of the file."""

    size = _OFFSET_SIZE
    default = memoryview(b"")

    def __init__(self, item_size: int = 1) -> None:
        self._item_size = item_size

    def read(self, reader: Reader, position: int) -> memoryview:
        """Return the vector's bytes without a copy."""
        start, count = reader.vector(position, self._item_size)
        return reader.data[start : start + count * self._item_size]


class Placed:
    """Bytes that another reader decodes: a view of them, and their offset in the file."""

    size = _OFFSET_SIZE
    default = (memoryview(b""), 0)

    def read(self, reader: Reader, position: int) -> tuple[memoryview, int]:
        """Return the vector's bytes, and the offset of the first."""
        start, count = reader.vector(position, 1)
        return reader.data[start : start + count], reader.base + start


class Text:
    """A UTF-8 string."""

    size = _OFFSET_SIZE
    default = ""

    def read(self, reader: Reader, position: int) -> str:
        """Return the string."""
        return reader.text(position)


class Literal:
    """A string that spells a value, in Python or in JSON; empty or absent: None."""

    size = _OFFSET_SIZE
    default = None

    def read(self, reader: Reader, position: int) -> Any:
        """Return the value that the string spells."""
        text = reader.text(position)
        return parse_text(text, reader.base + reader.target(position) + _OFFSET_SIZE) if text else None


class Texts:
    """A vector of strings; more than ``limit`` are refused."""

    size = _OFFSET_SIZE
    default: tuple[str, ...] = ()

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def read(self, reader: Reader, position: int) -> tuple[str, ...]:
        """Return all strings of the vector."""
        start, count = reader.vector(position, _OFFSET_SIZE, self._limit)
        return tuple(reader.text(start + _OFFSET_SIZE * index) for index in range(count))


@dataclass(frozen=True)
class TableType:
    """The fields of a table: rows of (slot, name, type). Slots that are not listed are ignored."""

    name: str
    rows: tuple[tuple[int, str, FieldType], ...]
    _slots: int = field(init=False, repr=False)
    _defaults: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slots", 1 + max((slot for slot, _, _ in self.rows), default=-1))
        object.__setattr__(self, "_defaults", {name: kind.default for _, name, kind in self.rows})

    def read(self, reader: Reader, position: int) -> dict[str, Any]:
        """Read the table at ``position``, by field name; ``"@"`` is its position, for error messages."""
        reader.charge(position, _MEMBER_COST)
        reader.count(position, "tables", 1)
        table_size, offsets = reader.table(position, self._slots)
        values = dict(self._defaults)
        values["@"] = position
        present = len(offsets)
        for slot, name, kind in self.rows:
            offset = offsets[slot] if slot < present else 0
            if not offset:
                continue
            if offset < _OFFSET_SIZE or offset + kind.size > table_size:
                reader.fail(position, f"field {slot} ({name}) lies outside its {self.name} table")
            values[name] = kind.read(reader, position + offset)
        return values


class Nested:
    """A table inside a table; absent: None."""

    size = _OFFSET_SIZE
    default = None

    def __init__(self, table: TableType) -> None:
        self._table = table

    def read(self, reader: Reader, position: int) -> dict[str, Any]:
        """Return the inner table."""
        return self._table.read(reader, reader.target(position))


class Position:
    """The position of a table whose type is only known from another field; absent: None."""

    size = _OFFSET_SIZE
    default = None

    def read(self, reader: Reader, position: int) -> int:
        """Return the inner table's position."""
        return reader.target(position)


class NestedList:
    """A vector of tables."""

    size = _OFFSET_SIZE
    default: tuple[dict[str, Any], ...] = ()

    def __init__(self, table: TableType) -> None:
        self._table = table

    def read(self, reader: Reader, position: int) -> tuple[dict[str, Any], ...]:
        """Return all tables of the vector; refuse duplicates, which no compiler writes."""
        start, count = reader.vector(position, _OFFSET_SIZE)
        tables: dict[int, dict[str, Any]] = {}
        for index in range(count):
            target = reader.target(start + _OFFSET_SIZE * index)
            if target in tables:
                reader.fail(start + _OFFSET_SIZE * index, f"a list has the same {self._table.name} table twice")
            tables[target] = self._table.read(reader, target)
        return tuple(tables.values())
