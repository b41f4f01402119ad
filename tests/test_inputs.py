# SPDX-License-Identifier: Apache-2.0
"""Conversion of the user's arrays to the runtime's inputs."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import numpy as np
import pytest

from ez_rknn_async._runtime.tensor_attribute import FORMATS, TYPES, TensorAttribute
from ez_rknn_async._tensors.inputs import Input, arrange
from ez_rknn_async._tensors.shapes import ShapeSet
from ez_rknn_async._transport.copying import Copying, Source, nchw_to_nhwc
from ez_rknn_async._transport.signature import Signature


def image(type_: str = "int8", layout: str = "nchw") -> Input:
    return Input(TensorAttribute("x", (1, 4, 5, 3), "NHWC", type_, 60, 0.5, -3), layout)


def vector(type_: str = "int8") -> Input:
    return Input(TensorAttribute("v", (2, 3), "UNDEFINED", type_, 6, 0.5, -3), "nchw")


def prepare(target: Input, value: Any, *, private: bool) -> Source:
    signature = Signature.of([ShapeSet((target.attribute,), ())], target.layout)
    (source,) = Copying(signature).request([target.check(value)], 0, [], private=private).sources
    return source


def nchw(dtype: Any = np.float32) -> Any:
    return np.arange(60).reshape(1, 3, 4, 5).astype(dtype)


@pytest.mark.parametrize(
    ("layout", "shape", "name"),
    [("nchw", [1, 3, 4, 5], "NCHW"), ("nhwc", [1, 4, 5, 3], "NHWC"), ("any", [1, 4, 5, 3], "NHWC")],
)
def test_the_reported_shape_and_layout_belong_together(layout: str, shape: list[int], name: str) -> None:
    """The library that this one replaces transposed the shape but not the layout."""
    argument = image(layout=layout).node_arg
    assert (argument.shape, argument.layout) == (shape, name)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int8])
def test_nchw_reaches_the_runtime_as_nhwc(dtype: Any) -> None:
    """The vendor's library silently ignores NCHW, so it never sees any."""
    prepared = prepare(image(), nchw(dtype), private=False)
    assert np.array_equal(prepared.array, nchw(dtype).transpose(0, 2, 3, 1))
    assert prepared.array.flags.c_contiguous
    assert FORMATS[prepared.format] == "NHWC"
    assert TYPES[prepared.type] == np.dtype(dtype).name


@pytest.mark.parametrize("layout", ["nhwc", "any"])
def test_nhwc_is_not_copied(layout: str) -> None:
    """A correct array should cost nothing."""
    array = np.ascontiguousarray(nchw().transpose(0, 2, 3, 1))
    assert np.shares_memory(prepare(image(layout=layout), array, private=False).array, array)


def test_layout_any_also_takes_nchw_if_the_shape_is_unambiguous() -> None:
    """The option promises it."""
    prepared = prepare(image(layout="any"), nchw(), private=False)
    assert np.array_equal(prepared.array, nchw().transpose(0, 2, 3, 1))


def test_an_nchw_view_of_nhwc_memory_is_not_moved() -> None:
    """A camera's frame turned with transpose() is in the runtime's order already."""
    frame = np.ascontiguousarray(nchw().transpose(0, 2, 3, 1))
    assert np.shares_memory(nchw_to_nhwc(frame.transpose(0, 3, 1, 2)), frame)


@pytest.mark.parametrize("shape", [(1, 3, 7, 9), (2, 1, 4, 4), (1, 16, 1, 1), (3, 5, 2, 8)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.int64])
def test_transposition_equals_numpys(shape: tuple[int, ...], dtype: Any) -> None:
    """Every element size and channel count takes another path through the kernel."""
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    assert np.array_equal(nchw_to_nhwc(array), array.transpose(0, 2, 3, 1))
    assert np.array_equal(nchw_to_nhwc(array[:, :, ::-1]), array[:, :, ::-1].transpose(0, 2, 3, 1))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_private_inputs_share_no_memory_with_the_callers(layout: str) -> None:
    """After run_async the caller may overwrite the frame."""
    array = nchw() if layout == "nchw" else np.ascontiguousarray(nchw().transpose(0, 2, 3, 1))
    prepared = prepare(image(layout=layout), array, private=True)
    assert not np.shares_memory(prepared.array, array)
    assert np.array_equal(prepared.array, nchw().transpose(0, 2, 3, 1))


@pytest.mark.parametrize("dtype", [np.float64, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.bool_])
@pytest.mark.parametrize("type_", ["int8", "float16"])
def test_types_that_the_runtime_does_not_convert_become_float32(dtype: Any, type_: str) -> None:
    """It would return success and leave the input unchanged."""
    prepared = prepare(image(type_), nchw(dtype), private=False)
    assert prepared.array.dtype == np.float32
    assert np.array_equal(prepared.array, nchw(dtype).transpose(0, 2, 3, 1).astype(np.float32))


def test_only_a_quantised_input_takes_int8_as_quantised() -> None:
    """A float16 input has no zero point, so there an int8 is just a number."""
    assert prepare(image("int8"), nchw(np.int8), private=False).array.dtype == np.int8
    assert prepare(image("float16"), nchw(np.int8), private=False).array.dtype == np.float32


def test_quantised_data_for_a_vector_is_passed_through() -> None:
    """The runtime silently refuses int8 there, unless it is told not to convert."""
    prepared = prepare(vector(), np.arange(6, dtype=np.int8).reshape(2, 3), private=False)
    assert prepared.pass_through
    assert TYPES[prepared.type] == "int8"


def test_reals_for_a_quantised_vector_saturate_before_they_can_wrap() -> None:
    """The vendor's conversion wraps modulo 256 there: 1000.0 would arrive as some small number."""
    prepared = prepare(vector(), [[1000.0, -1000.0, 0.0], [1.0, 2.0, 3.0]], private=False)
    assert prepared.array.tolist() == [[65.0, -62.5, 0.0], [1.0, 2.0, 3.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8, np.bool_])
def test_integer_inputs_get_integers(dtype: Any) -> None:
    """Token ids beyond 2**24 would not survive float32."""
    prepared = prepare(vector("int64"), np.ones((2, 3), dtype), private=False)
    assert prepared.array.dtype == np.int64


@pytest.mark.parametrize(
    "array",
    [
        nchw(">f4"),
        np.asfortranarray(nchw()),
        nchw()[:, ::-1],
        np.frombuffer(nchw().tobytes(), np.float32).reshape(1, 3, 4, 5),
    ],
    ids=["big-endian", "Fortran order", "negative stride", "read-only"],
)
def test_accepts_any_memory_arrangement(array: Any) -> None:
    """Arrays come from files, from pickles, from slices."""
    prepared = prepare(image(), array, private=False)
    assert np.array_equal(prepared.array, array.transpose(0, 2, 3, 1))
    assert prepared.array.dtype.isnative


def test_refuses_a_wrong_shape_and_names_the_right_one() -> None:
    """If the order of the dimensions is the fault, the message says so."""
    with pytest.raises(ValueError, match=r"'x' has shape \[1, 3, 4\], but the model takes \[1, 3, 4, 5\]"):
        prepare(image(), np.zeros((1, 3, 4), np.float32), private=False)
    with pytest.raises(ValueError, match="set the provider option layout='nhwc'"):
        prepare(image(), np.zeros((1, 4, 5, 3), np.float32), private=False)
    with pytest.raises(ValueError, match="set the provider option layout='nchw'"):
        prepare(image(layout="nhwc"), nchw(), private=False)


@pytest.mark.parametrize("value", [np.zeros((2, 3), complex), np.array([["a", "b", "c"]] * 2), [[None] * 3] * 2])
def test_refuses_arrays_without_real_numbers(value: Any) -> None:
    """Dropping an imaginary part is not ours to decide."""
    with pytest.raises(TypeError, match="'v' is of type"):
        prepare(vector(), value, private=False)


def test_feeds_may_be_mappings_sequences_or_the_only_array() -> None:
    """Programs for ONNX Runtime, and for the library that this one replaces, pass them."""
    assert arrange({"b": 2, "a": 1}, ["a", "b"]) == [1, 2]
    assert arrange(UserDict(a=1), ["a"]) == [1]
    assert arrange((1, 2), ["a", "b"]) == [1, 2]
    array = np.zeros(3)
    assert arrange(array, ["a"])[0] is array
    tensor = type("Tensor", (), {"__dlpack__": lambda self: None})()
    assert arrange(tensor, ["a"])[0] is tensor


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ({"a": 1}, "lacks input 'b'"),
        ({"a": 1, "b": 2, "c": 3}, "has 'c'"),
        ([1], r"1 value\(s\), but the model has 2 input\(s\)"),
        (np.zeros(3), "1 value"),
    ],
)
def test_refuses_an_unfit_feed_and_lists_the_inputs(feed: Any, message: str) -> None:
    """The user needs to see their names."""
    with pytest.raises(ValueError, match=message):
        arrange(feed, ["a", "b"])


def test_refuses_an_argument_that_is_not_a_feed() -> None:
    """A string is a sequence, but not of tensors."""
    with pytest.raises(TypeError, match="pass a dictionary"):
        arrange("ab", ["a", "b"])
