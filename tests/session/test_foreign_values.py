# SPDX-License-Identifier: Apache-2.0
"""Values of ONNX Runtime's own class in bindings, and numbers of bfloat16."""

from __future__ import annotations

import ctypes
from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
import pytest

from ez_rknn_async import OrtValue, RknnTypeError, RknnValueError

from .conftest import OpenSession, feed_of

# Numbers whose lower halves are zero in float32, like all numbers of bfloat16.
EXACT = np.array([[0.0, 1.0, -2.5], [3.140625, 1e30, -1e-30]], np.float32).astype(ml_dtypes.bfloat16)


class Producer:
    """A tensor of another library that shares its memory through DLPack alone, like PyTorch's bfloat16 ones."""

    def __init__(self, bits: Any) -> None:
        self._value = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, 16)

    def __dlpack__(self, **options: Any) -> Any:
        return self._value.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._value.__dlpack_device__()


class Texts:
    """The attributes of a value of texts; ONNX Runtime makes none of an array."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = device

    def device_name(self) -> str:
        return self._device

    def data_type(self) -> str:
        return "tensor(string)"

    def shape(self) -> list[int]:
        return [1]

    def data_ptr(self) -> int:
        return 0


def test_onnx_runtimes_own_values_bind_as_inputs_and_outputs(open_session: OpenSession) -> None:
    """Inputs are read and outputs written in their own memory."""
    session = open_session(simulator=None)
    feed = feed_of(session)
    (expected,) = session.run(None, feed)
    given = onnxruntime.OrtValue.ortvalue_from_numpy(feed["x"])
    result = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(expected))
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", given)
    binding.bind_ortvalue_output("y", result)
    session.run_with_iobinding(binding)
    assert np.array_equal(result.numpy(), expected)
    (output,) = binding.get_outputs()
    assert output.data_ptr() == result.data_ptr()
    # The value's content at the time of a run counts.
    given.update_inplace(np.zeros_like(feed["x"]))
    session.run_with_iobinding(binding)
    assert not np.array_equal(result.numpy(), expected)


def test_a_bound_value_of_onnx_runtime_lives_as_long_as_the_binding(open_session: OpenSession) -> None:
    """The binding keeps it, even if nothing else does."""
    session = open_session(simulator=None)
    feed = feed_of(session)
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(feed["x"].copy()))
    session.run_with_iobinding(binding)
    (output,) = binding.copy_outputs_to_cpu()
    assert np.array_equal(output, session.run(None, feed)[0])


def test_run_with_ort_values_takes_values_of_onnx_runtime(open_session: OpenSession) -> None:
    """run() does too."""
    session = open_session(simulator=None)
    feed = feed_of(session)
    (output,) = session.run_with_ort_values(None, {"x": onnxruntime.OrtValue.ortvalue_from_numpy(feed["x"])})
    assert np.array_equal(output.numpy(), session.run(None, feed)[0])


@pytest.mark.parametrize("value", [np.zeros((1, 3, 16, 16), np.float32), {"x": 1}, None])
def test_refuses_by_the_methods_name_an_argument_that_is_not_a_value(open_session: OpenSession, value: Any) -> None:
    """An array is bound with bind_cpu_input."""
    binding = open_session().io_binding()
    for bind, name in ((binding.bind_ortvalue_input, "x"), (binding.bind_ortvalue_output, "y")):
        with pytest.raises(RknnTypeError, match=rf"{bind.__name__}\(\) takes an OrtValue"):
            bind(name, value)


def test_refuses_values_that_cannot_be_read_or_written_here(open_session: OpenSession) -> None:
    """Examples are outputs of bfloat16, texts, and values on another device."""
    binding = open_session().io_binding()
    bits = np.zeros((1, 8, 16, 16), np.uint16)
    with pytest.raises(RknnTypeError, match="bfloat16; make one of float32"):
        binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, 16))
    with pytest.raises(RknnTypeError, match=r"tensor\(string\)"):
        binding.bind_ortvalue_input("x", Texts())
    with pytest.raises(RknnTypeError, match="a value on 'cuda', which the NPU cannot reach; copy it to the CPU"):
        binding.bind_ortvalue_input("x", Texts("cuda"))


def bfloat16_of(kind: str, array: Any) -> Any:
    """Return the array's numbers in bfloat16, held by another library's object."""
    numbers = array.astype(ml_dtypes.bfloat16)
    bits = numbers.view(np.uint16)
    return {
        "an array": numbers,
        "a view": np.repeat(numbers, 2, axis=-1)[..., ::2],
        "ONNX Runtime's value": onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, 16),
        "DLPack": Producer(bits),
        "our value": OrtValue.ortvalue_from_numpy(numbers),
        "our value by ONNX's number": OrtValue.ortvalue_from_numpy_with_onnx_type(bits, 16),
    }[kind]


KINDS = ["an array", "a view", "ONNX Runtime's value", "DLPack", "our value", "our value by ONNX's number"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["tiny_conv_int8", "tiny_conv_fp16"])
def test_takes_numbers_of_bfloat16(open_session: OpenSession, kind: str, model: str) -> None:
    """float32 holds each of them exactly, so nothing is lost."""
    session = open_session(model, simulator=None)
    feed = feed_of(session)
    exact = feed["x"].astype(ml_dtypes.bfloat16).astype(np.float32)
    (expected,) = session.run(None, {"x": exact})
    assert np.array_equal(session.run(None, {"x": bfloat16_of(kind, feed["x"])})[0], expected)
    binding = session.io_binding()
    value = bfloat16_of(kind, feed["x"])
    if "value" in kind:
        binding.bind_ortvalue_input("x", value)
    else:
        binding.bind_cpu_input("x", value)
    session.run_with_iobinding(binding)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_bfloat16_arrives_unchanged(kind: str) -> None:
    """They are large, small or negative, and in any memory layout."""
    given = np.asarray(OrtValue.ortvalue_from_numpy(bfloat16_of(kind, EXACT)).numpy())
    assert given.dtype == np.float32
    assert np.array_equal(given, EXACT.astype(np.float32))


def test_bfloat16_updates_a_value_on_the_npu(open_session: OpenSession) -> None:
    """Any other real type does too."""
    session = open_session(simulator=None)
    value = OrtValue.ortvalue_from_shape_and_type([1, 3, 16, 16], None, "rknpu2", 0, name="x", session=session)
    numbers = feed_of(session)["x"].astype(ml_dtypes.bfloat16)
    value.update_inplace(numbers)
    by_float = value.numpy()
    value.update_inplace(numbers.astype(np.float32))
    assert np.array_equal(by_float, value.numpy())


def test_an_empty_tensor_of_bfloat16_is_empty() -> None:
    """Its address may be anything."""
    assert OrtValue.from_dlpack(Producer(np.zeros((0, 3), np.uint16))).shape() == [0, 3]


def test_refuses_memory_of_bfloat16_and_names_a_possible_type(open_session: OpenSession) -> None:
    """It makes no difference if another package has told numpy of it."""
    binding = open_session().io_binding()
    for element_type in (16, "bfloat16", "tensor(bfloat16)", ml_dtypes.bfloat16):
        with pytest.raises(RknnValueError, match="bfloat16 is no type of numpy; use float32"):
            binding.bind_input("x", "cpu", 0, element_type, [1, 3, 16, 16], ctypes.addressof(ctypes.c_int()))
