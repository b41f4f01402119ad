# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile variants of a real model file, the same every time.

Blind damage rarely gets past the first check, so most variants are aimed: :func:`find_places` reads the real file once
and notes where its offsets, lengths, field lists and texts are; a variant changes a few of those.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

from ez_rknn_async.model import load
from ez_rknn_async.model.format import bson, flatbuffer

if TYPE_CHECKING:
    from collections.abc import Callable

FLATBUFFER = 64

_HOSTILE = (0, 1, 2, 3, 4, 7, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)
_HOSTILE_TEXTS = (
    b"[" * 4096,
    b"{'a':" * 1024,
    b"9" * 4096,
    b"1e" + b"9" * 4096,
    b"'" + b"\\" * 4096,
    b"\xff\xfe" * 64,
    b"{'a': 1,",
    b"--------1",
    b"'\\ud800'",
    b"[1, 2, 3",
    b"None",
    b"()",
)


@dataclass
class Places:
    """A map of a file: the positions of its parts."""

    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    field_lists: list[int] = field(default_factory=list)
    texts: list[tuple[int, int]] = field(default_factory=list)  # position, size
    documents: list[tuple[int, int]] = field(default_factory=list)


def find_places(data: bytes) -> Places:
    """The places of a file that loads."""
    places = Places()
    vector, table, text, document = (
        flatbuffer.Reader.vector,
        flatbuffer.Reader.table,
        flatbuffer.Reader.text,
        bson.read_document,
    )

    def note_vector(
        self: flatbuffer.Reader, position: int, item_size: int, limit: int | None = None
    ) -> tuple[int, int]:
        start, count = vector(self, position, item_size, limit)
        places.offsets.append(FLATBUFFER + position)
        places.lengths.append(FLATBUFFER + start - 4)
        return start, count

    def note_table(self: flatbuffer.Reader, position: int, slots: int) -> tuple[int, tuple[int, ...]]:
        (to_list,) = struct.unpack_from("<i", self.data, position)
        places.offsets.append(FLATBUFFER + position)
        places.field_lists.append(FLATBUFFER + position - to_list)
        return table(self, position, slots)

    def note_text(self: flatbuffer.Reader, position: int) -> str:
        start, count = vector(self, position, 1)
        places.texts.append((FLATBUFFER + start, count))
        return text(self, position)

    def note_document(view: memoryview, offset: int) -> Any:
        places.documents.append((offset, len(view)))
        return document(view, offset)

    with (
        mock.patch.object(flatbuffer.Reader, "vector", note_vector),
        mock.patch.object(flatbuffer.Reader, "table", note_table),
        mock.patch.object(flatbuffer.Reader, "text", note_text),
        mock.patch.object(bson, "read_document", note_document),
    ):
        load(data)
    summary = FLATBUFFER + struct.unpack_from("<Q", data, 16)[0]
    places.texts.append((summary + 8, len(data) - summary - 8))
    return places


def variant(data: bytes, places: Places, seed: str) -> bytes:
    """One variant of ``data``; the same ``seed`` gives the same one."""
    chance = random.Random(seed)
    damage: Callable[[random.Random, bytearray, Places], None] = chance.choices(_KINDS, _WEIGHTS)[0]
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        damage(chance, changed, places)
    return bytes(changed)


def _truncate(chance: random.Random, data: bytearray, places: Places) -> None:
    if data:
        del data[chance.choice((chance.randrange(len(data)), len(data) - 1, min(len(data) - 1, 64))) :]


def _flip_anywhere(chance: random.Random, data: bytearray, places: Places) -> None:
    for _ in range(chance.choice((1, 4, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_structure(chance: random.Random, data: bytearray, places: Places) -> None:
    position = chance.choice(places.offsets + places.lengths + places.field_lists) + chance.randrange(-16, 16)
    data[max(0, min(position, len(data) - 1))] ^= 1 << chance.randrange(8)


def _header(chance: random.Random, data: bytearray, places: Places) -> None:
    position = chance.choice((0, 8, 16, 24, 64, 68, FLATBUFFER + struct.unpack_from("<Q", data, 16)[0]))
    _write(data, position, "<Q", chance.choice((*_HOSTILE, 2**63, 2**64 - 1, len(data), len(data) - 64)))


def _offset(chance: random.Random, data: bytearray, places: Places) -> None:
    position = chance.choice(places.offsets)
    # An offset to another structure of the file is the most convincing lie.
    elsewhere = chance.choice(places.offsets + places.lengths + places.field_lists) - position
    _write(data, position, "<I", chance.choice((*_HOSTILE, elsewhere & 0xFFFFFFFF, elsewhere & 0xFFFFFFFF, len(data))))


def _length(chance: random.Random, data: bytearray, places: Places) -> None:
    position = chance.choice(places.lengths)
    rest = max(0, len(data) - position - 4)
    _write(data, position, "<I", chance.choice((*_HOSTILE, rest, rest // 4, rest // 8, chance.randrange(64))))


def _field_list(chance: random.Random, data: bytearray, places: Places) -> None:
    position = chance.choice(places.field_lists) + 2 * chance.randrange(16)
    _write(data, position, "<H", chance.choice((0, 1, 2, 3, 4, 5, 0xFFFF, 0x7FFF, chance.randrange(128))))


def _text(chance: random.Random, data: bytearray, places: Places) -> None:
    position, size = chance.choice(sorted(places.texts, key=lambda place: place[1])[-8:])
    if chance.random() < 0.5:
        for _ in range(chance.choice((1, 3, 20))):
            data[position + chance.randrange(max(1, size))] = chance.choice(b"[](){}'\",:0\\ex-n\x00\xff")
    else:
        hostile = chance.choice(_HOSTILE_TEXTS)[:size]
        at = position + chance.randrange(max(1, size - len(hostile)))
        data[at : at + len(hostile)] = hostile


def _document(chance: random.Random, data: bytearray, places: Places) -> None:
    if not places.documents:
        return _flip_structure(chance, data, places)
    position, size = chance.choice(places.documents)
    at = position + chance.randrange(4, size)
    _write(data, at, "<I", chance.choice(_HOSTILE)) if chance.random() < 0.5 else _write(
        data, at, "<B", chance.choice((0, 1, 2, 3, 4, 5, 8, 10, 16, 17, 18, 255))
    )
    return None


def _swap(chance: random.Random, data: bytearray, places: Places) -> None:
    """Copy a piece of the file over another."""
    size = chance.choice((4, 8, 64))
    source, target = (chance.randrange(max(1, len(data) - size)) for _ in range(2))
    data[target : target + size] = data[source : source + size]


def _write(data: bytearray, position: int, code: str, value: int) -> None:
    size = struct.calcsize(code)
    if 0 <= position <= len(data) - size:
        struct.pack_into(code, data, position, value & ((1 << 8 * size) - 1))


_AIMED = (_flip_structure, _offset, _length, _field_list, _text, _document)
_KINDS = (_truncate, _flip_anywhere, _header, _swap, *_AIMED)
_WEIGHTS = (1, 1, 1, 1, 2, 3, 3, 2, 2, 2)
