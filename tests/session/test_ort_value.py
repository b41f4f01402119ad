# SPDX-License-Identifier: Apache-2.0
"""``OrtValue``: its sources, and the calls that take it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ez_rknn_async import (
    OrtValue,
    RknnTypeError,
    RknnValueError,
)

from .conftest import OpenSession, feed_of
from .values import room

# ---- On the CPU ----


def test_a_value_on_the_cpu_shares_the_memory_of_its_array() -> None:
    """ONNX Runtime shares it too; numpy() is a copy all the same."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = OrtValue.ortvalue_from_numpy(array)
    array[0, 0] = 7
    assert value.numpy()[0, 0] == 7
    assert not np.may_share_memory(value.numpy(), array)
    assert np.may_share_memory(np.asarray(value), array)
    assert value.data_ptr() == array.ctypes.data


def test_a_value_describes_itself() -> None:
    """It answers the questions of ONNX Runtime and of the library that this one replaces."""
    value = OrtValue.ortvalue_from_shape_and_type([2, 3], np.float16)
    assert (value.shape(), value.data_type(), value.device_name(), value.device_type()) == (
        [2, 3],
        "tensor(float16)",
        "cpu",
        "cpu",
    )
    assert value.element_type() == 10
    assert value.element_type() == "tensor(float16)"
    assert value.element_type() != "tensor(float)"
    assert f"{value.element_type()}" == "tensor(float16)"
    assert value.memory_info() == {"device_type": "cpu", "device_id": 0}
    assert value.is_tensor()
    assert value.has_value()
    assert not value.is_sparse_tensor()
    assert not value.is_tensor_sequence()
    assert value.tensor_size_in_bytes() == 12
    assert value.device_id() == 0
    assert not value.numpy().any()


@pytest.mark.parametrize("element_type", [np.int64, "int64", 7, "tensor(int64)", np.dtype(">i8")])
def test_an_element_type_may_be_named_in_every_usual_way(element_type: Any) -> None:
    """There are numpy's types, ONNX's numbers and ONNX's names."""
    assert OrtValue.ortvalue_from_shape_and_type([1], element_type).numpy().dtype == np.int64


def test_any_array_becomes_a_value() -> None:
    """Read-only, strided and byte-swapped arrays all hold numbers."""
    array = np.arange(12.0, dtype=">f4").reshape(3, 4)
    frozen = array.astype(np.float32)
    frozen.flags.writeable = False
    for source in (array.T, frozen, frozen[:, ::2], [[1.0, 2.0]]):
        assert np.array_equal(OrtValue.ortvalue_from_numpy(source).numpy(), np.asarray(source))


def test_a_value_of_a_read_only_array_cannot_be_updated() -> None:
    """The array belongs to its owner."""
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    with pytest.raises(RknnValueError, match="read-only"):
        OrtValue.ortvalue_from_numpy(array).update_inplace(np.ones(3, np.float32))


def test_an_update_needs_the_same_shape_and_type() -> None:
    """ONNX Runtime requires it too: a silent cast would be a silent loss."""
    value = OrtValue.ortvalue_from_numpy(np.zeros(3, np.float32))
    value.update_inplace(np.ones(3, np.float32))
    assert value.numpy().tolist() == [1, 1, 1]
    for wrong in (np.ones(4, np.float32), np.ones(3, np.float64)):
        with pytest.raises(RknnValueError, match="type float32 and shape"):
            value.update_inplace(wrong)


def test_dlpack_shares_the_memory_of_a_value_on_the_cpu() -> None:
    """Sharing works in both directions."""
    array = np.arange(4, dtype=np.float32)
    value = OrtValue.from_dlpack(array)
    assert value.__dlpack_device__() == (1, 0)
    assert np.may_share_memory(np.from_dlpack(value), array)


def test_bits_may_be_reinterpreted_as_another_type() -> None:
    """ONNX Runtime passes types that numpy lacks this way."""
    value = OrtValue.ortvalue_from_numpy_with_onnx_type(np.array([0x3C00], np.uint16), 10)
    assert value.numpy() == np.float16(1)
    with pytest.raises(RknnValueError, match="differ in size"):
        OrtValue.ortvalue_from_numpy_with_onnx_type(np.zeros(1, np.uint16), 1)


# ---- Wrong arguments ----


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"session": None}, RknnValueError, "pass session=, name="),
        ({"name": None}, RknnValueError, "pass session=, name="),
        ({"name": "nope"}, RknnValueError, "no input or output 'nope'; it has"),
        ({"io_kind": "output"}, RknnValueError, "no output 'x'"),
        ({"io_kind": "both"}, RknnValueError, "neither 'input' nor 'output'"),
        ({"shape": [1, 2]}, RknnValueError, r"has shape \[1, 3, 16, 16\], not \[1, 2\]"),
        ({"shape": 3}, RknnTypeError, "sequence of integers"),
        ({"shape": [-1]}, RknnValueError, "negative"),
        ({"element_type": np.int64}, RknnValueError, "is int8 in memory; .* float32 .*, or uint8 for raw pixels"),
        ({"element_type": "apples"}, RknnTypeError, "no element type"),
        ({"element_type": np.complex64}, RknnValueError, "no real numbers"),
        ({"device_type": "gpu"}, RknnValueError, "no device 'gpu'"),
        ({"device_type": 1}, RknnTypeError, "takes a string"),
        ({"device_id": 1}, RknnValueError, "device_id=1"),
        ({"layout": "chwn"}, RknnValueError, "layout='chwn'"),
        ({"mem_flags": "fast"}, RknnValueError, "mem_flags='fast'"),
        ({"mem_flags": 1.5}, RknnTypeError, "mem_flags takes"),
    ],
)
def test_names_a_wrong_argument(
    open_session: OpenSession, keywords: dict[str, Any], error: type[Exception], words: str
) -> None:
    """The message lists the right ones."""
    session = open_session()
    arguments = {
        "shape": session.get_inputs()[0].shape,
        "element_type": np.float32,
        "device_type": "rknpu2",
        "session": session,
        "name": "x",
        **keywords,
    }
    with pytest.raises(error, match=words):
        OrtValue.ortvalue_from_shape_and_type(arguments.pop("shape"), **arguments)


def test_refuses_arrays_that_do_not_fit_a_value(open_session: OpenSession) -> None:
    """They are refused before anything is written."""
    session = open_session()
    value = room(session, session.input_names[0])
    with pytest.raises(RknnValueError, match="has shape"):
        value.update_inplace(np.zeros((1, 2), np.float32))
    with pytest.raises(RknnTypeError, match="no real numbers"):
        value.update_inplace(np.zeros(value.shape(), np.complex64))


# ---- In ordinary calls ----


@pytest.mark.parametrize("device", ["cpu", "rknpu2"])
def test_values_may_be_fed_to_ordinary_runs(open_session: OpenSession, device: str) -> None:
    """Any call that takes an array takes a value."""
    session = open_session("tiny_conv_fp16", simulator="compute=on")
    feed, name = feed_of(session), session.input_names[0]
    feed[name] = feed[name].astype(np.float16).astype(np.float32)
    value = OrtValue.ortvalue_from_numpy(feed[name], device, 0, name=name, session=session, io_kind="input")
    expected = session.run(None, feed)
    assert np.array_equal(session.run(None, {name: value})[0], expected[0])
    assert np.array_equal(session.run(None, [value])[0], expected[0])
    (result,) = session.run_with_ort_values(None, {name: value})
    assert isinstance(result, OrtValue)
    assert np.array_equal(result.numpy(), expected[0])
