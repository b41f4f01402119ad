# SPDX-License-Identifier: Apache-2.0
"""Numbers in values on the NPU: quantised, in blocks, in rows, and back."""

from __future__ import annotations

import numpy as np
import pytest

from ez_rknn_async import (
    RknnValueError,
)

from .conftest import OpenSession, feed_of
from .values import on_npu, raw_bytes, room


@pytest.mark.parametrize("layout", ["native", "nhwc"])
@pytest.mark.parametrize("model", ["conv_c1_int8", "conv_c4_int8", "conv_c5_int8", "conv_c16_int8", "vector_int8"])
def test_floats_are_quantised_and_read_as_floats_again(open_session: OpenSession, model: str, layout: str) -> None:
    """The library that this one replaces truncated them to integers; here each is off by half a step at most."""
    session = open_session(model, zero_copy_layout=layout)
    (name, array), *_ = feed_of(session).items()
    value = on_npu(session, array, name)
    info = value.memory_info()
    assert value.data_type() == "tensor(int8)"
    assert value.numpy().dtype == np.float32
    assert np.abs(value.numpy() - array).max() <= info["scale"] / 2 + 1e-6
    integers = value.numpy("native")
    assert np.allclose((integers.astype(np.float32) - info["zero_point"]) * info["scale"], value.numpy())


@pytest.mark.parametrize("layout", ["native", "nhwc"])
@pytest.mark.parametrize("model", ["conv_c5_int8", "conv_c1_int8", "odd_size_int8", "vector_int8", "batch4_int8"])
def test_integers_of_the_tensors_own_type_pass_unchanged(open_session: OpenSession, model: str, layout: str) -> None:
    """Inputs and outputs with any padding of their memory are tested."""
    session = open_session(model, zero_copy_layout=layout)
    generator = np.random.default_rng(1)
    for arg, kind in ((session.get_inputs()[0], "input"), (session.get_outputs()[0], "output")):
        value = room(session, arg.name, io_kind=kind)
        integers = generator.integers(-128, 128, arg.shape, np.int8)
        value.update_inplace(integers)
        assert np.array_equal(value.numpy("native"), integers)


@pytest.mark.parametrize("model", ["mean_std_int8", "mean_std_fp16"])
def test_an_inputs_numbers_are_those_before_normalisation(open_session: OpenSession, model: str) -> None:
    """A value takes what run() takes, so it returns the same."""
    session = open_session(model)
    (name, array), *_ = feed_of(session).items()
    value = on_npu(session, array * 255, name)
    step = value.memory_info()["scale"] if "int8" in model else 0.01
    assert np.abs(value.numpy() - array * 255).max() < 255 * step


def test_uint8_images_stay_pixels(open_session: OpenSession) -> None:
    """The NPU itself normalises them, so a camera's frame needs no conversion."""
    session = open_session("mean_std_int8")
    (arg,) = session.get_inputs()
    pixels = np.random.default_rng(2).integers(0, 256, arg.shape, np.uint8)
    value = on_npu(session, pixels, arg.name)
    assert value.data_type() == "tensor(uint8)"
    assert np.array_equal(value.numpy("native"), pixels)
    assert np.array_equal(value.numpy(), pixels.astype(np.float32))
    with pytest.raises(RknnValueError, match="raw uint8 pixels and cannot take float32"):
        value.update_inplace(pixels.astype(np.float32))


def test_blocks_of_channels_are_packed_and_padded(open_session: OpenSession) -> None:
    """NC1HWC2 of five channels is compared with a packing in numpy; that library overran its buffers here."""
    session = open_session("conv_c5_int8", zero_copy_layout="native")
    (arg,) = session.get_inputs()
    integers = np.random.default_rng(3).integers(-128, 128, arg.shape, np.int8)
    value = on_npu(session, integers, arg.name)
    info = value.memory_info()
    assert info["layout"] == "NC1HWC2"
    n, c1, h, w, c2 = info["shape"]
    padded = np.zeros((n, c1 * c2, h, w), np.int8)
    padded[:, : arg.shape[1]] = integers
    expected = padded.reshape(n, c1, c2, h, w).transpose(0, 1, 3, 4, 2)
    view = np.ndarray(info["shape"], np.int8, raw_bytes(value), strides=info["strides"])
    assert np.array_equal(view, expected)


def test_rows_are_as_long_as_the_npu_needs_them(open_session: OpenSession) -> None:
    """This is NHWC with w_stride: the image is at the beginning of each row."""
    session = open_session("odd_size_int8")
    (arg,) = session.get_inputs()
    integers = np.random.default_rng(4).integers(-128, 128, arg.shape, np.int8)
    value = on_npu(session, integers, arg.name)
    info = value.memory_info()
    n, h, w, c = info["shape"]
    assert info["w_stride"] > w
    rows = raw_bytes(value)[: n * h * info["w_stride"] * c].view(np.int8).reshape(n, h, info["w_stride"], c)
    assert np.array_equal(rows[:, :, :w], integers.transpose(0, 2, 3, 1))


def test_the_session_determines_the_type_in_which_outputs_are_read(open_session: OpenSession) -> None:
    """output_dtype applies to values too, and each call may override it."""
    session = open_session("tiny_conv_int8", output_dtype="native")
    value = room(session, session.output_names[0])
    assert value.numpy().dtype == np.int8
    assert value.numpy(np.float32).dtype == np.float32
    with pytest.raises(RknnValueError, match="can be read as float32 or int8, not int32"):
        value.numpy(np.int32)
