# SPDX-License-Identifier: Apache-2.0
"""The layout of tensors in the NPU's memory, from recorded answers of runtimes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ez_rknn_async._runtime.tensor_attribute import TensorAttribute
from ez_rknn_async._tensors.npu_layout import (
    NativeTensor,
    input_conversion,
    native_input,
    native_output,
    output_conversion,
    raw_image,
)
from ez_rknn_async.errors import RknnValueError
from ez_rknn_async.model import DType, Kind, Preprocessing, Tensor
from ez_rknn_async.model import Layout as Stored


def attribute(shape: tuple[int, ...], format_: str, type_: str = "int8", **more: Any) -> TensorAttribute:
    elements = int(np.prod(shape))
    size = elements * np.dtype(type_).itemsize if type_ not in ("int4", "bfloat16") else elements
    return TensorAttribute("x", shape, format_, type_, size, 0.5, -3, **more)


IMAGE = attribute((1, 20, 20, 3), "NHWC", row=32, size_with_stride=1920)
CHANNELS = attribute((1, 9, 11, 5), "NHWC", row=11, size_with_stride=1600)
CHANNELS_NATIVE = attribute((1, 1, 9, 11, 16), "NC1HWC2", size_with_stride=1584)
VECTOR = attribute((2, 12), "UNDEFINED", size_with_stride=32)


def image() -> NativeTensor:
    return native_input(IMAGE, IMAGE)


def test_an_images_rows_have_the_runtimes_length() -> None:
    """They have 20 pixels each, 32 apart, and the NPU reads them unconverted."""
    tensor = image()
    assert (tensor.layout.format, tensor.layout.row, tensor.size) == ("NHWC", 32, 1920)
    assert tensor.bound.pass_through
    assert tensor.strides == (20 * 32 * 3, 32 * 3, 3, 1)


def test_binds_raw_pixels_of_a_quantised_image_for_the_npu_to_convert() -> None:
    """The memory is the same: only the attributes for the runtime differ."""
    raw = raw_image(image())
    assert raw is not None
    assert (raw.bound.type, raw.bound.format, raw.bound.pass_through) == ("uint8", "NHWC", False)
    assert (raw.size, raw.layout.row) == (1920, 32)
    assert raw_image(native_input(CHANNELS, CHANNELS_NATIVE)) is None


def test_blocks_of_an_input_are_as_far_apart_as_its_shape_says() -> None:
    """Its size includes surfaces rounded to four pixels, but no layer reads them so; there is room for both."""
    tensor = native_input(CHANNELS, CHANNELS_NATIVE)
    assert (tensor.layout.c1, tensor.layout.c2, tensor.layout.surface) == (1, 16, 99)
    assert tensor.size == 1600
    assert tensor.strides == (1584, 1584, 11 * 16, 16, 1)


def test_an_output_of_odd_size_is_one_row_of_aligned_pixels() -> None:
    """The runtime then reports [N, C1, 1, H * W rounded up, C2]."""
    logical = attribute((1, 5, 9, 11), "NCHW")
    tensor = native_output(logical, attribute((1, 2, 1, 100, 16), "NC1HWC2", size_with_stride=3200))
    assert (tensor.dims, tensor.layout.surface, tensor.layout.c1, tensor.size) == ((1, 5, 9, 11), 100, 2, 3200)


def test_a_vector_is_plain_with_room_for_the_runtimes_padding() -> None:
    """Older runtimes report more bytes than there are elements."""
    tensor = native_input(VECTOR, replace(VECTOR, size_with_stride=24))
    assert (tensor.dims, tensor.layout.format, tensor.size) == ((1, 1, 1, 24), "NCHW", 32)
    assert tensor.strides == (12, 1)


@pytest.mark.parametrize(
    ("logical", "native", "reason"),
    [
        (attribute((1, 8, 8, 16), "NHWC"), attribute((1, 8, 8, 16), "NHWC"), r"keeps it as NHWC \[1, 8, 8, 16\]"),
        (CHANNELS, attribute((1, 1, 9, 11, 4), "NC1HWC2"), "does not fit"),
        (CHANNELS, attribute((2, 1, 9, 11, 16), "NC1HWC2"), "keeps it as"),
        (replace(IMAGE, row=7), replace(IMAGE, row=7), "7 apart"),
        (attribute((2, 3), "UNDEFINED", "bfloat16"), attribute((2, 3), "UNDEFINED", "bfloat16"), "type is bfloat16"),
    ],
)
def test_refuses_an_unknown_layout_and_names_the_tensor(
    logical: TensorAttribute, native: TensorAttribute, reason: str
) -> None:
    """A guess would give silently wrong results."""
    with pytest.raises(RknnValueError, match=f"input 'x' cannot be bound to NPU memory: .*{reason}"):
        native_input(logical, native)


def test_cpu_inputs_have_the_order_that_the_runtime_reports() -> None:
    """It is NCHW and dense; arrays in another order are reordered."""
    native = attribute((1, 5, 9, 11), "NCHW", row=11, size_with_stride=495)
    tensor = native_input(CHANNELS, native, read_by_cpu(5))
    assert (tensor.dims, tensor.layout.format, tensor.size) == ((1, 5, 9, 11), "NCHW", 495)
    assert (tensor.bound.format, tensor.bound.pass_through) == ("NCHW", True)
    assert tensor.strides == (495, 99, 11, 1)
    array = np.arange(495, dtype=np.uint16).reshape(1, 9, 11, 5).astype(np.int8)
    assert np.array_equal(converted(tensor, array).view(np.int8), array.transpose(0, 3, 1, 2).ravel())


@pytest.mark.parametrize(
    ("logical", "native"),
    [
        (IMAGE, IMAGE),
        (CHANNELS, CHANNELS_NATIVE),
        (IMAGE, attribute((1, 3, 20, 20), "NCHW", size_with_stride=1200)),  # the rule for quantising it is unknown
        (CHANNELS, attribute((1, 5, 11, 9), "NCHW", size_with_stride=495)),
    ],
)
def test_rejects_cpu_inputs_with_unknown_layout(logical: TensorAttribute, native: TensorAttribute) -> None:
    """The attributes do not say so, but the file does."""
    with pytest.raises(RknnValueError, match="an operator on the CPU reads it"):
        native_input(logical, native, read_by_cpu(logical.shape[3]))


def read_by_cpu(channels: int) -> Tensor:
    shape = (1, channels, 9, 11)
    return Tensor(0, "x", DType.INT8, Stored.NCHW, Kind.INPUT, shape, shape, None, 99 * channels, 0)


def converted(tensor: NativeTensor, array: Any, normalisation: Preprocessing | None = None) -> Any:
    memory = np.full(tensor.size, 0xAA, np.uint8)
    input_conversion(tensor, array.dtype, "NHWC", normalisation).convert(array, memory)
    return memory


def test_pixels_keep_their_values_and_gaps_hold_the_mean() -> None:
    """The NPU normalises them itself: the content of a gap becomes zero."""
    raw = raw_image(image())
    assert raw is not None
    array = np.arange(1200, dtype=np.uint8).reshape(1, 20, 20, 3)
    rows = converted(raw, array, Preprocessing((10.4, 20.5, 300.0), (2.0, 2.0, 2.0))).reshape(20, 32, 3)
    assert np.array_equal(rows[:, :20], array[0])
    assert (rows[:, 20:] == (10, 20, 255)).all()


def test_every_channel_has_its_own_mean_and_deviation() -> None:
    """Beyond the fourth one the vendor's library takes the first channel's."""
    tensor = native_input(CHANNELS, CHANNELS_NATIVE)
    normalisation = Preprocessing((0.0, 1.0, 2.0, 3.0, 4.0), (1.0, 1.0, 1.0, 1.0, 0.5))
    array = np.full((1, 9, 11, 5), 8.0, np.float32)
    pixel = converted(tensor, array, normalisation)[:1584].view(np.int8).reshape(99, 16)[0]
    assert pixel[:5].tolist() == [16 - 3, 14 - 3, 12 - 3, 10 - 3, 16 - 3]
    assert not pixel[5:].any()


def test_tensors_that_are_not_4d_saturate() -> None:
    """The vendor's library wraps around there."""
    tensor = native_input(VECTOR, VECTOR)
    array = np.resize(np.array([1e6, -1e6, 0.25, 0.75], np.float32), (2, 12))
    assert converted(tensor, array)[:4].view(np.int8).tolist() == [127, -128, -2, -2]


@pytest.mark.parametrize("dtype", [np.float32, np.int8])
@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_an_output_has_the_requested_order_and_type(order: str, dtype: Any) -> None:
    """It is dequantised, or as the NPU wrote it."""
    logical = attribute((1, 5, 9, 11), "NCHW")
    tensor = native_output(logical, attribute((1, 2, 1, 100, 16), "NC1HWC2"))
    memory = np.random.default_rng(0).integers(-128, 128, (2, 100, 16), np.int8)
    result = np.empty((1, 5, 9, 11) if order == "NCHW" else (1, 9, 11, 5), dtype)
    output_conversion(tensor, result.dtype, order).convert(memory, result)
    raw = memory.transpose(0, 2, 1).reshape(32, 100)[:5, :99].reshape(1, 5, 9, 11)
    expected = (raw.astype(np.float32) + 3) * np.float32(0.5) if dtype == np.float32 else raw
    assert np.array_equal(result, expected if order == "NCHW" else expected.transpose(0, 2, 3, 1))


def test_refuses_a_conversion_without_a_kernel_and_names_the_tensor() -> None:
    """A task would fail because of it later."""
    with pytest.raises(RknnValueError, match=r"input 'x' .*no kernel from uint16"):
        input_conversion(native_input(VECTOR, VECTOR), np.dtype(np.uint16), "NCHW", None)
