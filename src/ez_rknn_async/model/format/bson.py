# SPDX-License-Identifier: Apache-2.0
"""A reader of BSON, as far as the compiler uses it for the attributes of operators.

A document is ``{name: {"dtype": "i" | "f" | "s" | "is" | "fs", "value": ...}}``.
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn

from ...errors import RknnModelError

_MAX_DEPTH = 16  # real documents nest three deep
_I32 = struct.Struct("<i")
_I64 = struct.Struct("<q")
_F64 = struct.Struct("<d")

_DOUBLE, _STRING, _DOCUMENT, _ARRAY, _BINARY = 0x01, 0x02, 0x03, 0x04, 0x05
_BOOLEAN, _NULL, _INT32, _TIMESTAMP, _INT64 = 0x08, 0x0A, 0x10, 0x11, 0x12
_SMALLEST = 5  # bytes of an empty document: its length and a zero byte


def is_document(data: memoryview) -> bool:
    """Check if ``data`` is a BSON document: recurrent operators keep other bytes in the same place."""
    return len(data) >= _SMALLEST and _I32.unpack_from(data)[0] == len(data) and data[-1] == 0


def read_document(data: memoryview, offset: int) -> dict[str, Any]:
    """Read the document in ``data``, which lies at byte ``offset`` of the file. Arrays become lists."""
    return dict(_Reader(data, offset).members(0, len(data), 0))


class _Reader:
    def __init__(self, data: memoryview, offset: int) -> None:
        self._data = data
        self._bytes = bytes(data)  # for find(), which a memoryview lacks
        self._offset = offset

    def _fail(self, position: int, why: str) -> NoReturn:
        raise RknnModelError(f"the model file is damaged: in an attribute, {why}", offset=self._offset + position)

    def _int(self, position: int, end: int) -> int:
        if position + 4 > end:
            self._fail(position, "a number is cut short")
        return int(_I32.unpack_from(self._data, position)[0])

    def members(self, start: int, limit: int, depth: int) -> list[tuple[str, Any]]:
        """Return name and value of each member of the document at ``start``, which must end by ``limit``."""
        if depth > _MAX_DEPTH:
            self._fail(start, f"documents are nested more than {_MAX_DEPTH} deep")
        length = self._int(start, limit)
        if length < _SMALLEST or length > limit - start:
            self._fail(start, f"a document has an impossible length of {length} bytes")
        end = start + length - 1
        if self._bytes[end]:
            self._fail(end, "a document does not end with a zero byte")
        members = []
        position = start + 4
        while position < end:
            kind = self._bytes[position]
            name, position = self._name(position + 1, end)
            value, position = self._value(kind, position, end, depth)
            members.append((name, value))
        return members

    def _name(self, position: int, end: int) -> tuple[str, int]:
        stop = self._bytes.find(0, position, end)
        if stop < 0:
            self._fail(position, "a name does not end")
        return self._decode(position, stop), stop + 1

    def _decode(self, start: int, stop: int) -> str:
        try:
            return self._bytes[start:stop].decode("utf-8")
        except UnicodeDecodeError:
            self._fail(start, "a text is not UTF-8")

    def _value(self, kind: int, position: int, end: int, depth: int) -> tuple[Any, int]:
        """Return the value of type ``kind`` at ``position``, and where the next member begins."""
        if kind in (_DOCUMENT, _ARRAY):
            members = self.members(position, end, depth + 1)
            value = [item for _, item in members] if kind == _ARRAY else dict(members)
            return value, position + self._int(position, end)
        if kind == _STRING:
            return self._string(position, end)
        if kind == _BINARY:
            length = self._int(position, end)
            stop = position + 5 + length
            if length < 0 or stop > end:
                self._fail(position, f"binary data has an impossible length of {length} bytes")
            return self._bytes[position + 5 : stop], stop
        return self._number(kind, position, end)

    def _string(self, position: int, end: int) -> tuple[str, int]:
        length = self._int(position, end)
        stop = position + 4 + length
        if length < 1 or stop > end or self._bytes[stop - 1]:
            self._fail(position, f"a text has an impossible length of {length} bytes")
        return self._decode(position + 4, stop - 1), stop

    def _number(self, kind: int, position: int, end: int) -> tuple[Any, int]:
        if kind == _NULL:
            return None, position
        layout = {_DOUBLE: _F64, _INT32: _I32, _TIMESTAMP: _I64, _INT64: _I64}.get(kind)
        size = layout.size if layout else 1
        if position + size > end:
            self._fail(position, "a number is cut short")
        if layout:
            return layout.unpack_from(self._data, position)[0], position + size
        if kind != _BOOLEAN:
            self._fail(position, f"a value has unknown type {kind}")
        return bool(self._bytes[position]), position + 1
