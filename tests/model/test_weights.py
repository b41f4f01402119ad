# SPDX-License-Identifier: Apache-2.0
"""Packed weights, unpacked to plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import (
    DType,
    Kind,
    Layout,
    Tensor,
    constant,
    has_zero_points,
    unpack,
    unpack_depthwise_with_zero_points,
)
from ez_rknn_async.model.operators.weights import unpack_sections

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from ez_rknn_async.model import Graph, Model

    Holding = Callable[[Tensor, bytes], tuple[Model, Graph]]


def weight(native: tuple[int, ...], dtype: DType = DType.INT16) -> Tensor:
    """Return a packed weight."""
    return Tensor(0, "w", dtype, Layout.PACKED_WEIGHT, Kind.WEIGHT, (), native, None, 0, 1)


@st.composite
def packings(draw: st.DrawFn) -> tuple[np.ndarray, list[int], list[np.ndarray]]:
    """Draw a weight, its division, and its parts in the order of the format's definition."""
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    rows = [(draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 16]))) for _ in range(draw(st.integers(1, 2)))]
    if len(rows) == 2 and rows[0] == rows[1]:
        rows = rows[:1]  # equal neighbours would be one group
    columns = [(draw(st.integers(1, 2)), draw(st.sampled_from([4, 8]))) for _ in range(draw(st.integers(1, 2)))]
    cout, cin = (sum(blocks * size for blocks, size in parts) for parts in (rows, columns))
    values = np.arange(cout * cin * kernel[0] * kernel[1], dtype=np.int16).reshape(cout, cin, *kernel)
    native: list[int] = []
    stored: list[np.ndarray] = []
    top = 0
    for row_blocks, row_size in rows:
        native += [n for blocks, size in columns for n in (row_blocks, blocks, *kernel, row_size, size)]
        for _ in range(row_blocks):
            left = 0
            for blocks, size in columns:
                for _ in range(blocks):
                    block = values[top : top + row_size, left : left + size]
                    stored.append(block.transpose(2, 3, 0, 1).reshape(-1))  # kh, kw, co, ci
                    left += size
            top += row_size
    return values, native, stored


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packing=packings())
def test_unpacks_packed_weights(holding: Holding, packing: tuple[np.ndarray, list[int], list[np.ndarray]]) -> None:
    """There are blocks of output channels, of input channels, remainders of both, and bytes of padding at the end."""
    values, native, stored = packing
    each = weight((*native, 0, 0, 0, 0, 0, 0))  # the compiler writes absent remainders as zeros
    data = np.concatenate(stored).tobytes() + b"\xff" * 5
    assert np.array_equal(unpack(*holding(each, data), each), values)


def test_four_bit_numbers_are_signed_with_the_low_half_first(holding: Holding) -> None:
    """Each byte holds two."""
    each = weight((1, 1, 1, 1, 1, 6), DType.INT4)
    assert unpack(*holding(each, bytes([0x21, 0xF8, 0x7E])), each).ravel().tolist() == [1, 2, -8, -1, -2, 7]


def test_sections_end_with_a_smaller_block_each(holding: Holding) -> None:
    """Two matrices [3, 6] are in blocks of two rows and of one, the columns in blocks of four and of two."""
    sections = np.arange(36, dtype=np.int16).reshape(2, 3, 6)
    stored = [
        np.concatenate([rows[:, :4].ravel(), rows[:, 4:].ravel()]) for each in sections for rows in (each[:2], each[2:])
    ]
    native = (2, 1, 1, 1, 2, 4, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 4, 2, 1, 1, 1, 1, 2)
    held = weight(native)
    unpacked = unpack_sections(*holding(held, np.concatenate(stored).tobytes()), held, 2)
    assert unpacked is not None
    assert np.array_equal(unpacked[..., 0, 0], sections)


def test_blocks_of_one_size_make_no_sections(holding: Holding) -> None:
    """Blocks that do not belong to one section each also have the usual order."""
    even, odd = weight((2, 1, 1, 1, 2, 4)), weight((3, 1, 1, 1, 2, 4, 2, 1, 1, 1, 1, 4))
    assert unpack_sections(*holding(even, bytes(64)), even, 2) is None
    assert unpack_sections(*holding(odd, bytes(64)), odd, 2) is None


def test_depthwise_weights_with_their_zero_points(holding: Holding) -> None:
    """RK3562 and RK3576 alternate pairs of weights and pairs of negated zero points; -128 stands for +128."""
    each = weight((1, 1, 1, 2, 1, 4), DType.INT8)
    pairs = [(1, 2, 10, -128), (3, 4, 30, 40), (5, 6, 10, -128), (7, 8, 30, 40)]
    model, graph = holding(each, np.array(pairs, np.int8).tobytes())
    assert has_zero_points(model, graph, each)
    values, zero_points = unpack_depthwise_with_zero_points(model, graph, each)
    assert values.tolist() == [[[[1, 5]], [[2, 6]], [[3, 7]], [[4, 8]]]]
    assert zero_points.tolist() == [10, 128, 30, 40]
    plain = weight((1, 1, 1, 2, 1, 8), DType.INT8)
    assert not has_zero_points(*holding(plain, bytes(16)), plain)


@pytest.mark.parametrize(
    ("each", "says"),
    [
        (weight((1, 1, 3, 3, 16, 32)), "needs 9216 bytes, but its buffer has 64"),
        (weight((1, 1, 3, 3, 16, 2**31 - 1)), "its buffer has 64"),
        (weight((1, 1, 3, 3, 16)), "not a packed weight"),
        (weight(()), "not a packed weight"),
        (weight((0, 0, 0, 0, 0, 0)), "different sizes"),
        (weight((1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)), "different sizes"),
        (weight((1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2)), "different lengths"),
        (weight((1, 1, 1, 1, 1, 1), DType.OPAQUE), "compress_weight"),
    ],
)
def test_rejects_weights_that_do_not_fit(holding: Holding, each: Tensor, says: str) -> None:
    """A native shape is only trusted as far as the buffer reaches."""
    with pytest.raises(RknnModelError, match=says):
        unpack(*holding(each, bytes(64)), each)


def test_refuses_compressed_weights_with_advice(open_model: Callable[[str], Model]) -> None:
    """Their coding is unknown; the compiler has an option to turn it off."""
    model = open_model("compressed_int8")
    graph = model.graphs[0]
    compressed = [tensor for tensor in graph.tensors if tensor.dtype is DType.OPAQUE and tensor.buffer]
    assert compressed
    for tensor in compressed:
        for read in (unpack, constant):
            with pytest.raises(RknnModelError, match="without compress_weight"):
                read(model, graph, tensor)


def test_weights_of_compiled_models_equal_those_of_their_onnx_graphs(
    originals: ModuleType, open_model: Callable[[str], Model]
) -> None:
    """The compiler only rounds them to fp16: packing and unpacking lose nothing."""
    onnx = pytest.importorskip("onnx")
    initializers = {each.name: onnx.numpy_helper.to_array(each) for each in originals.tiny_conv().graph.initializer}
    (original,) = [values for values in initializers.values() if values.ndim == 4]
    (bias,) = [values for values in initializers.values() if values.ndim == 1]
    model = open_model("tiny_conv_fp16")
    graph = model.graphs[0]
    (node,) = [node for node in graph.nodes if node.op.startswith("Conv")]
    stored = unpack(model, graph, graph.tensors[node.inputs[1]])
    cout, cin = original.shape[:2]
    assert np.array_equal(stored[:cout, :cin], original.astype(np.float16))
    # Read before anything is cut: the compiler pads channels with arbitrary numbers.
    assert stored.shape[1] >= cin
    assert constant(model, graph, graph.tensors[node.inputs[2]])[:cout] == pytest.approx(bias, rel=1e-3)
