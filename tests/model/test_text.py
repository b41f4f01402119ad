# SPDX-License-Identifier: Apache-2.0
"""The reader of JSON and Python literals."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model.format.text import decode_utf8, parse_text

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False), st.text(max_size=20)
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=8), inner)), max_leaves=20
)


@given(_VALUES)
def test_reads_json(value: object) -> None:
    """The standard library is the judge, with and without escapes."""
    assert parse_text(json.dumps(value), 0) == value
    assert parse_text(json.dumps(value, ensure_ascii=False, indent=1), 0) == value


@given(_VALUES)
def test_reads_the_output_of_repr(value: object) -> None:
    """It has single quotes, True and None."""
    assert parse_text(repr(value), 0) == value


def test_tuples_become_lists() -> None:
    """Only the values matter, not the compiler's choice of brackets."""
    assert parse_text("{'shape': (1, 3, [4])}", 0) == {"shape": [1, 3, [4]]}
    assert parse_text("[(1,), ()]", 0) == [[1], []]


def test_reads_numbers_that_are_not_finite() -> None:
    """A failed calibration leaves such numbers in an otherwise good file."""
    assert parse_text("{'min': -inf, 'max': Infinity}", 0) == {"min": -float("inf"), "max": float("inf")}
    nan = parse_text("nan", 0)
    assert nan != nan


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "missing"),
        ("{'a': 1", "missing"),
        ("{'a' 1}", "no value"),
        ("{[]: 1}", "key"),
        ("[1 2]", "',' or ']' is missing"),
        ("(1]", "missing"),
        ("'abc", "missing"),
        ("1 2", "follows"),
        ("name", "not a value"),
        ("f(1)", "not a value"),
        ("1+1", "follows"),
        (r"'\q'", "escape"),
        (r"'\ud800'", "half a character"),
        (r"'\U00110000'", "no character"),
        ("9" * 41, "41 digits"),
        ("[" * 33 + "]" * 33, "nested more than 32"),
        ("[" * 1_000_000, "nested more than 32"),
        ("-" * 100_000 + "1", "missing"),
        (" " * (2**20 + 1), "more than any real one"),
    ],
)
def test_refuses_anything_else_and_names_its_place(text: str, says: str) -> None:
    """The error names the offset in the file, not the one in the text."""
    with pytest.raises(RknnModelError, match=says) as caught:
        parse_text(text, 5000)
    assert caught.value.offset is not None
    assert 5000 <= caught.value.offset <= 5000 + len(text)


def test_does_not_decode_a_text_that_is_too_long() -> None:
    """A summary may be as long as the file: its characters would take memory before anything has looked at them."""
    data = memoryview(bytes(5 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(RknnModelError, match=f"a text of {len(data)} bytes"):
            decode_utf8(data, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20
