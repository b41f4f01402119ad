# SPDX-License-Identifier: Apache-2.0
"""A writer of model files for the tests: a FlatBuffer of tables, vectors and strings in a container."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Union

Value = Union[int, "Reference"]


class Reference:
    """A target for an offset; its position is known once it is written."""

    position: int


class Writer:
    """Writes targets after what points to them, as offsets are positive.

    A table is given as ``{slot: value}``, where a value is a 32-bit number or a :class:`Reference`; :meth:`finish` puts
    the positions of the references in place.
    """

    def __init__(self) -> None:
        self._data = bytearray(b"\0\0\0\0RKNN")
        self._pending: list[tuple[int, Reference]] = []

    def table(self, slots: Mapping[int, Value], reference: Reference | None = None) -> Reference:
        """Write a table; each field is 32 bits wide."""
        reference = reference or Reference()
        count = max(slots, default=-1) + 1
        offsets = [0] * count
        for index, slot in enumerate(sorted(slots)):
            offsets[slot] = 4 + 4 * index
        field_list = struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * len(slots), *offsets)
        field_list += b"\0" * (-len(field_list) % 4)
        self._data += field_list
        reference.position = len(self._data)
        self._data += struct.pack("<i", len(field_list))
        for slot in sorted(slots):
            self._value(slots[slot])
        return reference

    def tables(self, members: Sequence[Reference], reference: Reference) -> None:
        """Write a vector of tables."""
        reference.position = len(self._data)
        self._data += struct.pack("<I", len(members))
        for member in members:
            self._value(member)

    def numbers(self, code: str, values: Sequence[float], reference: Reference) -> None:
        """Write a vector of numbers."""
        self.raw(struct.pack(f"<I{len(values)}{code}", len(values), *values), reference)

    def text(self, text: bytes, reference: Reference) -> None:
        """Write a string."""
        self.raw(struct.pack("<I", len(text)) + text + b"\0", reference)

    def port(self, reference: Reference) -> None:
        """Write a tensor that a graph may have as its output "y": one float32."""
        name, shape = Reference(), Reference()
        self.table({0: 1, 2: 2, 3: shape, 4: shape, 5: name, 12: 4}, reference)
        self.text(b"y", name)
        self.numbers("i", [1], shape)

    def raw(self, data: bytes, reference: Reference) -> None:
        """Write raw bytes."""
        self._data += b"\0" * (-len(self._data) % 4)
        reference.position = len(self._data)
        self._data += data + b"\0" * (-len(data) % 4)

    def finish(self, root: Reference) -> bytes:
        """Return the whole file."""
        for position, target in self._pending:
            struct.pack_into("<I", self._data, position, target.position - position)
        struct.pack_into("<I", self._data, 0, root.position)
        return container(bytes(self._data))

    def _value(self, value: Value) -> None:
        if isinstance(value, Reference):
            self._pending.append((len(self._data), value))
            value = 0
        self._data += struct.pack("<I", value & 0xFFFFFFFF)


def container(flatbuffer: bytes, summary: bytes = b"{}") -> bytes:
    """Wrap a FlatBuffer in a file."""
    header = b"RKNN\0\0\0\0" + struct.pack("<QQ", 6, len(flatbuffer)) + b"\0" * 40
    return header + flatbuffer + struct.pack("<Q", len(summary)) + summary
