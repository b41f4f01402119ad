# SPDX-License-Identifier: Apache-2.0
"""The reader of BSON documents."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model.format.bson import is_document, read_document

_NAMES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=8)
_TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    _TEXTS,
    st.binary(max_size=8),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=4)),
    max_leaves=12,
)


def write(value: dict[str, Any] | list[Any]) -> bytes:
    """Encode ``value`` as BSON, following its specification."""
    members = value.items() if isinstance(value, dict) else ((str(i), item) for i, item in enumerate(value))
    body = b"".join(_member(name.encode(), item) for name, item in members)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _member(name: bytes, value: Any) -> bytes:
    kind, data = _encode(value)
    return bytes([kind]) + name + b"\0" + data


def _encode(value: Any) -> tuple[int, bytes]:
    if value is None:
        return 0x0A, b""
    if isinstance(value, bool):
        return 0x08, bytes([value])
    if isinstance(value, int):
        return (0x10, struct.pack("<i", value)) if -(2**31) <= value < 2**31 else (0x12, struct.pack("<q", value))
    if isinstance(value, float):
        return 0x01, struct.pack("<d", value)
    if isinstance(value, str):
        return 0x02, struct.pack("<i", len(value.encode()) + 1) + value.encode() + b"\0"
    if isinstance(value, bytes):
        return 0x05, struct.pack("<i", len(value)) + b"\0" + value
    return (0x04 if isinstance(value, list) else 0x03), write(value)


@given(st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_reads_back_every_type(value: dict[str, Any]) -> None:
    """The compiler uses all of them, nested."""
    data = memoryview(write(value))
    assert is_document(data)
    assert read_document(data, 0) == value


def test_reads_the_attributes_of_an_operator() -> None:
    """This is their form in a model."""
    attributes = {"axis": {"dtype": "i", "value": 1}, "perm": {"dtype": "is", "value": [0, 2, 1]}}
    assert read_document(memoryview(write(attributes)), 0) == attributes


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0\0", b"\x05\0\0\0\x01", b"\x06\0\0\0\0", bytes(56)])
def test_other_bytes_are_not_a_document(data: bytes) -> None:
    """Recurrent operators keep something else in the same field."""
    assert not is_document(memoryview(data))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x0a\0\0\0\x10aaa\0\0"[:10], "cut short"),
        (b"\x09\0\0\0\x10aaa\0", "name does not end"),
        (b"\x0e\0\0\0\x02a\0\xff\xff\xff\x7fa\0", "impossible length"),
        (b"\x0e\0\0\0\x02a\0\0\0\0\0a\0", "impossible length"),
        (b"\x0e\0\0\0\x05a\0\xff\xff\xff\xff\0\0", "impossible length"),
        (b"\x0e\0\0\0\x03a\0\x04\0\0\0\0\0", "impossible length"),
        (b"\x09\0\0\0\x7fa\0\1\0", "unknown type 127"),
        (b"\x08\0\0\0\x0a\xff\0\0", "not UTF-8"),
    ],
)
def test_refuses_damage_and_names_its_place(data: bytes, says: str) -> None:
    """Every length is checked against the document around it."""
    with pytest.raises(RknnModelError, match=says) as caught:
        read_document(memoryview(data), 5000)
    assert caught.value.offset is not None
    assert 5000 <= caught.value.offset < 5000 + len(data)


def test_refuses_deep_documents() -> None:
    """The reader is recursive, so its depth is bounded."""
    value: dict[str, Any] = {}
    for _ in range(40):
        value = {"a": value}
    with pytest.raises(RknnModelError, match="nested"):
        read_document(memoryview(write(value)), 0)
