# SPDX-License-Identifier: Apache-2.0
"""Numbers planted in the NPU's outputs come back right."""

from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession

from .conftest import OpenSession
from .npu import FakeNpu, Submission
from .places import plant
from .raw import NC1HWC2, Raw

# 4-D and not, int8 and float16, several outputs, channels that do not fill a block, pixels that do not fill four.
MODELS = ["conv_c1_int8", "conv_c5_int8", "conv_c16_fp16", "odd_size_int8", "odd_size_fp16", "two_inputs_int8"]
MODELS += [
    "vector_int8",
    "vector_fp16",
    "sequence_int8",
    "sequence_fp16",
    "reshapes_int8",
    "residual_fp16",
    "gates_int8",
]


def zeros(session: InferenceSession) -> dict[str, np.ndarray]:
    return {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}


Planted = tuple[str, Raw, list[np.ndarray]]


@pytest.fixture(params=MODELS)
def planted(request: pytest.FixtureRequest, raw: Callable[[str], Raw], npu: FakeNpu) -> Planted:
    """A model's name, its context, and its planted outputs in their native types, by the library's own calls."""
    context = raw(request.param)
    npu.compute(plant)
    return request.param, context, context.run([np.zeros(i.shape, np.uint8) for i in context.inputs])


def test_native_outputs_are_the_librarys_own(planted: Planted, open_session: OpenSession, io_mode: str) -> None:
    """With output_dtype='native' every bit equals that of rknn_outputs_get."""
    model, _, expected = planted
    session = open_session(model, output_dtype="native", io_mode=io_mode)
    for ours, theirs in zip(session.run(None, zeros(session)), expected):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_float_outputs_are_dequantised(planted: Planted, open_session: OpenSession, io_mode: str) -> None:
    """By default outputs are (q - zero point) * scale in float32, to the last bit or nearly."""
    model, context, expected = planted
    session = open_session(model, io_mode=io_mode)
    for ours, theirs, attribute in zip(session.run(None, zeros(session)), expected, context.outputs):
        quantised = theirs.dtype == np.int8
        real = (theirs.astype(np.float64) - attribute.zero_point) * attribute.scale if quantised else theirs
        # The library multiplies and adds with one rounding or with two: an error of half a unit of zero point * scale.
        bound = np.finfo(np.float32).eps * 128 * attribute.scale if quantised else 0
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, real, rtol=1e-6, atol=bound)


def test_outputs_are_written_into_the_callers_arrays(planted: Planted, open_session: OpenSession, io_mode: str) -> None:
    """Arrays given with outputs= receive the results, and are returned."""
    model, _, _ = planted
    session = open_session(model, io_mode=io_mode)
    returned = session.run(None, zeros(session))
    given = {name: np.full_like(array, np.nan) for name, array in zip(session.output_names, returned)}
    again = session.run(None, zeros(session), outputs=given)
    for name, ours, expected in zip(session.output_names, again, returned):
        assert ours is given[name]
        np.testing.assert_array_equal(ours, expected)


def test_image_outputs_are_unpacked_from_blocks_of_channels(
    open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu, io_mode: str
) -> None:
    """The planted blocks, unpacked here by the attributes alone, equal a session's result."""
    unpacked = 0
    for model in MODELS:
        context, session = raw(model), open_session(model, output_dtype="native", io_mode=io_mode)
        native = context.query("RKNN_QUERY_NATIVE_OUTPUT_ATTR", 0)
        if native.format != NC1HWC2 or len(context.outputs) > 1:
            continue
        blocks: list[np.ndarray] = []

        def plant_and_keep(submission: Submission, native: Any = native, blocks: list[np.ndarray] = blocks) -> None:
            plant(submission)
            output = submission.memories[-1].bytes[: math.prod(native.shape) * native.dtype.itemsize]
            blocks.append(output.view(native.dtype).reshape(native.shape).copy())

        npu.compute(plant_and_keep)
        (ours,) = session.run(None, zeros(session))
        n, c, h, w = ours.shape
        pixels = blocks[-1].transpose(0, 1, 4, 2, 3).reshape(n, -1, blocks[-1].shape[2] * blocks[-1].shape[3])
        np.testing.assert_array_equal(ours, pixels[:, :c, : h * w].reshape(n, c, h, w))
        unpacked += 1
    assert unpacked >= 6
