# SPDX-License-Identifier: Apache-2.0
"""The metadata that an ONNX model's author wrote into it, read without the ``onnx`` package.

An ONNX file is one protobuf message, ``ModelProto``. Of its fields only ``metadata_props`` are read; the graph with its
weights, which may be large, is passed over without being loaded. What is read here:

======= ================== =========================================
field   of                 what
======= ================== =========================================
14      ModelProto         metadata_props: StringStringEntryProto ...
1, 2    an entry           key, value
======= ================== =========================================
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
# Protobuf's ways to write a field: a varint, 8 bytes, a length and that many bytes, 4 bytes.
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_LONGEST_VARINT = 10


class NotOnnxError(ValueError):
    """The file is not an ONNX model."""


def read_onnx_metadata(path: str) -> dict[str, str]:
    """Read ``metadata_props`` of an ONNX model.

    Raises:
        OSError: the file cannot be read.
        NotOnnxError: it is no protobuf message, or is cut short.
    """
    with open(path, "rb") as file:
        entries = _fields(file, os.fstat(file.fileno()).st_size, _METADATA_PROPS)
        return dict(_entry(content) for _, content in entries)


def _entry(content: bytes) -> tuple[str, str]:
    texts = {number: text.decode("utf-8", "replace") for number, text in _fields(io.BytesIO(content), len(content))}
    return texts.get(_KEY, ""), texts.get(_VALUE, "")


def _fields(file: BinaryIO, size: int, wanted: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The number and content of a message's fields that are bytes: all of them, or those with one number."""
    while file.tell() < size:
        number, way = divmod(_varint(file), 8)
        if way == _VARINT:
            _varint(file)
            continue
        if way not in (_EIGHT, _BYTES, _FOUR):
            raise NotOnnxError(f"field {number} is written in no way that protobuf knows ({way})")
        length = _varint(file) if way == _BYTES else 8 if way == _EIGHT else 4
        if length > size - file.tell():  # before anything is allocated
            raise NotOnnxError(f"field {number} has {length} bytes, but {size - file.tell()} are left")
        if way == _BYTES and wanted in (None, number):
            yield number, file.read(length)
        else:
            file.seek(length, os.SEEK_CUR)


def _varint(file: BinaryIO) -> int:
    value = 0
    for position in range(_LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << 7 * position
        if byte[0] < 0x80:
            return value
    raise NotOnnxError("a number is cut short or too long")
