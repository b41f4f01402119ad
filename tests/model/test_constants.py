# SPDX-License-Identifier: Apache-2.0
"""Constants: every layout is read in its logical shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import DType, Kind, Layout, Quantization, Tensor, constant, real_constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from ez_rknn_async.model import Graph, Model

    Holding = Callable[[Tensor, bytes], tuple[Model, Graph]]


def tensor(shape: tuple[int, ...], dtype: DType, native: tuple[int, ...] = (), **changes: object) -> Tensor:
    """Return a constant: NC1HWC2 if it has a native shape, plain otherwise."""
    values = {
        "index": 0,
        "name": "c",
        "dtype": dtype,
        "layout": Layout.NC1HWC2 if native else Layout.PLAIN,
        "kind": Kind.CONSTANT,
        "shape": shape,
        "native_shape": native or shape,
        "quantization": None,
        "size": 0,
        "buffer": 1,
        **changes,
    }
    return Tensor(**values)  # type: ignore[arg-type]


def nc1hwc2(values: np.ndarray, block: int, stride: int) -> bytes:
    """Store ``values`` [N, C, H, W] element by element, as the format's definition says; 99 is padding."""
    batch, channels, _, width = values.shape
    blocks = -(-channels // block)
    stored = np.full(batch * blocks * stride * block, 99, values.dtype)
    for (n, c, h, w), value in np.ndenumerate(values):
        stored[((n * blocks + c // block) * stride + h * width + w) * block + c % block] = value
    return stored.tobytes()


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 19), st.integers(1, 5), st.integers(1, 5)),
    block=st.sampled_from([8, 16]),
    padded=st.booleans(),
)
def test_channel_blocks_become_planes(shape: tuple[int, int, int, int], block: int, padded: bool) -> None:
    """Surfaces come with and without padding to four pixels, with any number of channels."""
    from ez_rknn_async.model.operators import constants

    batch, channels, height, width = shape
    values = np.arange(math.prod(shape), dtype=np.int16).reshape(shape)
    surface = height * width
    stride = -(-surface // 4) * 4 if padded else surface
    native = (batch, -(-channels // block), height, width, block)
    stored = memoryview(nc1hwc2(values, block, stride))
    assert np.array_equal(constants._from_nc1hwc2(tensor(shape, DType.INT16, native), stored), values)


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        (DType.FLOAT32, np.float32),
        (DType.FLOAT16, np.float16),
        (DType.INT8, np.int8),
        (DType.UINT8, np.uint8),
        (DType.INT16, np.int16),
        (DType.INT32, np.int32),
        (DType.INT64, np.int64),
        (DType.BOOL, np.bool_),
    ],
)
def test_plain_values_keep_their_type(holding: Holding, dtype: DType, stored: Any) -> None:
    """The file's element types are numpy's; bytes behind the last element are padding."""
    values = np.arange(6).reshape(2, 3).astype(stored)
    each = tensor((2, 3), dtype)
    read = constant(*holding(each, values.tobytes() + b"\xff" * 7), each)
    assert read.dtype == values.dtype
    assert np.array_equal(read, values)


def test_bfloat16_becomes_float32(holding: Holding) -> None:
    """Its numbers are the upper halves of float32 numbers."""
    values = np.array([1.0, -2.5, 3e38, 0.0], np.float32)
    each = tensor((4,), DType.BFLOAT16)
    stored = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    read = constant(*holding(each, stored), each)
    assert read.dtype == np.float32
    assert read == pytest.approx(values, rel=2**-7)


def test_a_scalar_has_no_dimensions(holding: Holding) -> None:
    """An empty shape is one element, not none."""
    each = tensor((), DType.INT64)
    assert constant(*holding(each, np.int64(-3).tobytes()), each) == -3


def test_quantised_constants_become_real(holding: Holding) -> None:
    """real = (quantised - zero point) * scale; indices stay whole."""
    each = tensor((3,), DType.INT8, quantization=Quantization((0.5,), (-2,)))
    assert real_constant(*holding(each, np.array([-2, 0, 127], np.int8).tobytes()), each).tolist() == [0, 1, 64.5]
    axes = tensor((2,), DType.INT64)
    assert real_constant(*holding(axes, np.array([1, -1]).tobytes()), axes).dtype == np.int64


@pytest.mark.parametrize(
    ("each", "says"),
    [
        (tensor((2**30,), DType.FLOAT32), "needs 4294967296 bytes, but its buffer has 16"),
        (tensor((1, 5, 2, 2), DType.INT8, (1, 1, 2, 2, 8)), "needs 32 bytes"),
        (tensor((1, 9, 1, 1), DType.INT8, (1, 1, 1, 1, 8)), "cannot be stored"),
        (tensor((1, 1, 1, 1), DType.INT8, (0, 1, 1, 1, 8)), "cannot be stored"),
        (tensor((3,), DType.OPAQUE), "OPAQUE"),
        (tensor((3,), DType.UNKNOWN), "UNKNOWN"),
        (tensor((3,), DType.INT8, layout=Layout.UNKNOWN), "layout that is not known"),
        (tensor((3,), DType.INT8, layout=Layout.PACKED_WEIGHT), "packed weight"),
    ],
)
def test_rejects_constants_that_do_not_fit(holding: Holding, each: Tensor, says: str) -> None:
    """Sizes are compared with the buffer before anything is allocated."""
    with pytest.raises(RknnModelError, match=says):
        constant(*holding(each, bytes(16)), each)
