# SPDX-License-Identifier: Apache-2.0
"""Conversion of anything that holds numbers to an array, and of its type to one that the runtime reads."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from ez_rknn_async._tensors.as_array import as_array
from ez_rknn_async._tensors.casting import cast

NUMBERS = np.arange(6, dtype=np.float32).reshape(2, 3)


class Exporter:
    """A tensor of another library that only has DLPack."""

    def __init__(self, array: Any, device: int = 1) -> None:
        self._array, self._device = array, device

    def __dlpack__(self, **arguments: Any) -> Any:
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self._device, 0)


class ArrayLike:
    """An object that numpy can ask for an array."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return NUMBERS


class OnGpu:
    """An object that answers numpy like a PyTorch tensor on a GPU."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


@pytest.mark.parametrize(
    "value", [NUMBERS, NUMBERS.tolist(), ArrayLike(), Exporter(NUMBERS), pickle.loads(pickle.dumps(NUMBERS))]
)
def test_anything_that_holds_numbers_becomes_an_array(value: Any) -> None:
    """Arrays, pickled ones too, nested lists, __array__ and DLPack all do."""
    assert np.array_equal(as_array(value, "x"), NUMBERS)


def test_a_dlpack_tensor_is_not_copied() -> None:
    """Its memory is the CPU's already."""
    array = NUMBERS.copy()
    assert np.shares_memory(as_array(Exporter(array), "x"), array)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Exporter(NUMBERS, device=2), r"'x' is in the memory of DLPack device \(2, 0\).*copy it to the CPU"),
        (OnGpu(), "'x', a OnGpu, cannot be made an array: can't convert cuda:0"),
        ([["a"]], "'x' is of type <U1, which holds no real numbers"),
        ({"a": 1}, "'x' is of type object"),
    ],
)
def test_refuses_objects_that_the_cpu_cannot_read_as_numbers(value: Any, message: str) -> None:
    """The error names the input and says what to do."""
    with pytest.raises(TypeError, match=message):
        as_array(value, "x")


def test_names_the_input_of_nested_lists_of_different_lengths() -> None:
    """numpy's error alone would not say which input it is."""
    with pytest.raises(ValueError, match="'x' cannot be made an array"):
        as_array([[1, 2], [3]], "x")


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_refuses_integers_that_float32_cannot_hold(dtype: Any) -> None:
    """2**24 + 1 would silently become 2**24; up to 2**24 each is exact."""
    edge = np.array([0, 2**24], dtype)
    assert np.array_equal(cast(edge, "float16", "x"), edge)
    with pytest.raises(ValueError, match=r"'x' holds the integer 16777217.*2\*\*24"):
        cast(np.array([2**24 + 1], dtype), "float16", "x")


def test_negative_integers_are_checked_too() -> None:
    """The least int64 has no absolute value in int64."""
    assert cast(np.array([-(2**24)]), "int8", "x").tolist() == [-(2**24)]
    with pytest.raises(ValueError, match="-9223372036854775808"):
        cast(np.array([-(2**63)]), "int8", "x")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.array([2**63], np.uint64), "int64"),
        (np.array([2**31]), "int32"),
        (np.array([-1]), "uint32"),
        (np.array([2.0**63]), "int64"),
        (np.array([np.nan]), "int64"),
        (np.array([np.inf], np.float32), "int32"),
    ],
)
def test_an_integer_input_refuses_numbers_that_it_cannot_hold(given: Any, wanted: str) -> None:
    """The conversion in C would wrap, or be undefined."""
    with pytest.raises(ValueError, match=f"'ids' takes {wanted} values"):
        cast(given, wanted, "ids")


def test_an_integer_input_takes_whole_numbers_of_any_type() -> None:
    """Beyond 2**24 they are exact, which is the purpose of the type."""
    assert cast(np.array([2**40 + 1], np.uint64), "int64", "ids").tolist() == [2**40 + 1]
    assert cast(np.array([5.0, -3.0]), "int64", "ids").tolist() == [5, -3]
    assert cast(np.array([0, 7]), "bool", "mask").tolist() == [False, True]


def test_float64_is_cast_once_and_overflows_to_infinity() -> None:
    """The NPU itself does so; there is no warning, because nothing is undefined."""
    ready = cast(np.array([0.1, 1e300]), "float16", "x")
    assert ready.dtype == np.float32
    assert ready.tolist() == [np.float32(0.1), np.inf]


def test_arrays_of_the_runtimes_types_are_not_copied() -> None:
    """float32, float16 and uint8 go to the runtime unchanged."""
    for dtype in (np.float32, np.float16, np.uint8):
        array = np.zeros(3, dtype)
        assert cast(array, "int8", "x") is array
