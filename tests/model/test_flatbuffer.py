# SPDX-License-Identifier: Apache-2.0
"""The reader of untrusted FlatBuffers: values, and the places of faults."""

from __future__ import annotations

import struct

import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model.format.flatbuffer import (
    LIMITS,
    Nested,
    NestedList,
    Raw,
    Reader,
    Scalar,
    TableType,
    Text,
    Texts,
    Vector,
)

from .writer import Reference, Writer

BASE = 64
INNER = TableType("Inner", ((0, "number", Scalar("i")),))
OUTER = TableType(
    "Outer",
    (
        (0, "number", Scalar("i", default=7)),
        (1, "text", Text()),
        (2, "numbers", Vector("i", limit=4)),
        (3, "inner", Nested(INNER)),
        (4, "list", NestedList(INNER)),
        (5, "raw", Raw()),
        (6, "texts", Texts(limit=2)),
    ),
)


def reader(file: bytes) -> tuple[Reader, int]:
    """Return a reader over the FlatBuffer of a file, and the position of its root."""
    (length,) = struct.unpack_from("<Q", file, 16)
    data = memoryview(file)[BASE : BASE + length]
    return Reader(data, BASE), struct.unpack_from("<I", data)[0]


def test_reads_a_table_by_its_type() -> None:
    """Numbers, texts, vectors, tables and lists of tables; an absent field has its default."""
    writer = Writer()
    text, numbers, inner, other, members, texts, word = (Reference() for _ in range(7))
    root = writer.table({1: text, 2: numbers, 3: inner, 4: members, 6: texts})
    writer.text("Ünïcode".encode(), text)
    writer.numbers("i", [1, -2, 3], numbers)
    writer.tables([inner, other], members)
    writer.tables([word], texts)
    writer.text(b"word", word)
    writer.table({0: 0xFFFFFFFF}, inner)
    writer.table({0: 5}, other)
    values = OUTER.read(*reader(writer.finish(root)))
    assert (values["number"], values["text"], values["numbers"]) == (7, "Ünïcode", (1, -2, 3))
    assert values["inner"]["number"] == -1
    assert [member["number"] for member in values["list"]] == [-1, 5]
    assert (bytes(values["raw"]), values["texts"]) == (b"", ("word",))


def read_with(slots: dict[int, int], tail: bytes = b"") -> None:
    """Read a root table with these raw values, and ``tail`` behind it."""
    writer = Writer()
    root = writer.table(slots)
    writer.raw(tail, Reference())
    OUTER.read(*reader(writer.finish(root)))


@pytest.mark.parametrize("slot", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("offset", [0, 0x7FFFFFFF, 0xFFFFFFFF, 4096])
def test_refuses_an_offset_out_of_the_data_and_names_its_place(slot: int, offset: int) -> None:
    """For any kind of target, the error names the byte of the file that holds the wrong offset."""
    with pytest.raises(RknnModelError, match="outside the FlatBuffer") as caught:
        read_with({slot: offset})
    # The list of fields (4 bytes and 2 for each slot) lies behind 8 bytes of header, then the table, then its field.
    size = -(-(4 + 2 * (slot + 1)) // 4) * 4
    assert caught.value.offset == BASE + 8 + size + 4


@pytest.mark.parametrize("slot", [1, 2, 4, 5, 6])
@pytest.mark.parametrize("count", [9, 0x40000000, 0xFFFFFFFF])
def test_refuses_a_vector_longer_than_the_data(slot: int, count: int) -> None:
    """Counts are compared with the rest of the data before anything is allocated."""
    with pytest.raises(RknnModelError, match="ends outside"):
        read_with({slot: 4}, struct.pack("<I", count) + b"\0\0\0\0")


def test_refuses_a_vector_of_implausible_length() -> None:
    """No shape has a thousand dimensions, even where the file is long enough for one."""
    with pytest.raises(RknnModelError, match="5 items where at most 4"):
        read_with({2: 4}, struct.pack("<6I", 5, 1, 2, 3, 4, 5))


def test_checks_texts() -> None:
    """Programs in C rely on UTF-8 that ends with a zero byte."""
    with pytest.raises(RknnModelError, match="not UTF-8"):
        read_with({1: 4}, struct.pack("<I", 2) + b"\xff\xfe\0\0")
    with pytest.raises(RknnModelError, match="does not end with a zero byte"):
        read_with({1: 4}, struct.pack("<I", 2) + b"abcd")


@pytest.mark.parametrize(
    ("field_list", "says"),
    [
        (struct.pack("<HH", 2, 8), "impossible size of 2"),
        (struct.pack("<HH", 5, 8), "impossible size of 5"),
        (struct.pack("<HH", 0xFFFE, 8), "ends outside"),
        (struct.pack("<HH", 6, 3), "impossible size of 3"),
        (struct.pack("<HH", 6, 0xFFFF), "ends outside"),
        (struct.pack("<HHH", 6, 8, 6), "outside its Outer table"),
        (struct.pack("<HHH", 6, 8, 2), "outside its Outer table"),
    ],
)
def test_refuses_a_damaged_list_of_fields(field_list: bytes, says: str) -> None:
    """A table's own description is not trusted either."""
    data = field_list.ljust(8, b"\0") + struct.pack("<i", 8) + bytes(8)
    with pytest.raises(RknnModelError, match=says):
        OUTER.read(Reader(memoryview(data), BASE), 8)


def test_refuses_a_list_of_fields_before_the_data() -> None:
    """A negative position does not count from the end."""
    with pytest.raises(RknnModelError, match="field list"):
        OUTER.read(Reader(memoryview(struct.pack("<i", 100) + bytes(60)), BASE), 0)


def test_rejects_a_table_listed_twice() -> None:
    """No compiler writes it, and it would let a small file describe an enormous model."""
    writer, members, inner = Writer(), Reference(), Reference()
    root = writer.table({4: members})
    writer.tables([inner, inner], members)
    writer.table({0: 1}, inner)
    with pytest.raises(RknnModelError, match="the same Inner table twice"):
        OUTER.read(*reader(writer.finish(root)))


def test_rejects_a_text_with_a_zero_byte_inside() -> None:
    """A runtime written in C would read another text than we do."""
    writer, text = Writer(), Reference()
    root = writer.table({1: text})
    writer.text(b"a\0b", text)
    with pytest.raises(RknnModelError, match="zero byte before its end"):
        OUTER.read(*reader(writer.finish(root)))


@pytest.mark.parametrize("what", LIMITS)
def test_rejects_larger_counts_than_any_model_has(what: str) -> None:
    """Python's values are many times larger than their bytes in a large file."""
    subject, _ = reader(Writer().finish(Writer().table({})))
    subject.count(0, what, LIMITS[what])
    with pytest.raises(RknnModelError, match=f"more than {LIMITS[what]} {what}"):
        subject.count(0, what, 1)
