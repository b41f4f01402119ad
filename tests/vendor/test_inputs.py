# SPDX-License-Identifier: Apache-2.0
"""The NPU's input buffers at the moment when it is told to run."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession

from .conftest import OpenSession
from .npu import FakeNpu, Submission
from .places import Watch, images_of
from .raw import Raw

# The models of ../shared/golden whose inputs the library does not take modulo 256: images, and floats of any shape.
RECORDED = ["c1_i8", "c1_fp", "c3_i8", "c3_fp", "c3odd_i8", "c3raw_i8", "c3raw_fp", "c4_i8", "c4_fp", "c5_i8", "c5_fp"]
RECORDED += ["c16_i8", "add5_fp", "mi_fp", "fc2_fp", "mm3_fp", "tk220_c3_i8", "tk232_c16_i8"]
DTYPES = {"u8": np.uint8, "i8": np.int8, "f16": np.float16, "f32": np.float32}
AWKWARD = [-1000, -300, -129, -128.5, -128, -1.5, -0.5, -0.25, 255.5, 256, 300, 1000, 1e6, -1e6]
AWKWARD += [0.49999997, 2.5, 3.5]

# Committed models: images of 1, 3, 4, 5 and 16 channels, odd sizes, means, several inputs, some that are not images,
# and some that the CPU reads.
COMMITTED = ["conv_c1_int8", "conv_c4_fp16", "conv_c5_int8", "conv_c16_int8", "conv_c16_fp16", "odd_size_int8"]
COMMITTED += ["odd_size_fp16", "mean_std_int8", "mean_std_fp16", "two_inputs_int8", "vector_int8", "vector_fp16"]
COMMITTED += ["sequence_int8", "read_by_cpu_int8", "read_by_cpu_fp16"]


def recorded_vector(kind: str, elements: int) -> np.ndarray:
    """Return the numbers of the recordings."""
    if kind == "u8":
        return (np.arange(elements) % 256).astype(np.uint8)
    if kind == "i8":
        return (np.arange(elements) % 256 - 128).astype(np.int8)
    with np.errstate(over="ignore"):
        return np.resize(np.concatenate([np.arange(0, 256, 0.5), AWKWARD]), elements).astype(DTYPES[kind])


def input_buffers(submission: Submission, inputs: int, outputs: int) -> list[bytes]:
    """Return the contents of the input buffers: the library allocates all inputs and then all outputs, last of all."""
    buffers = submission.memories[-inputs - outputs :][:inputs]
    return [buffer.bytes.tobytes() for buffer in buffers]


def buffers_of_a_run(session: InferenceSession, npu: FakeNpu, arrays: list[np.ndarray]) -> list[bytes]:
    """Run, and return the input buffers as they were when the NPU was told to run."""
    seen: list[bytes] = []

    def look(submission: Submission) -> None:
        if not seen:
            seen.extend(input_buffers(submission, len(session.get_inputs()), len(session.get_outputs())))

    npu.compute(look)
    session.run(None, dict(zip(session.input_names, arrays)))
    return seen


def is_padded_by_the_npu(io_mode: str, dtype: str) -> bool:
    """True if the ends of an image's rows are still missing: with direct I/O, a task of the NPU's writes them."""
    return io_mode == "direct" and dtype in ("u8", "uint8")


def pixels(buffer: bytes, shape: Sequence[int], row: int) -> bytes:
    """Return the part of a buffer that holds an image's pixels, [n, h, w, c] in rows of ``row``; all of any other
    buffer."""
    if len(shape) != 4 or shape[3] > 4:
        return buffer
    n, h, w, c = shape
    return np.frombuffer(buffer, np.uint8)[: n * h * row * c].reshape(n * h, row, c)[:, :w].tobytes()


def is_refused(recording: dict[str, Any]) -> bool:
    """True if the library refused to convert, and left the buffer unchanged (sessions never ask for that)."""
    return any(message.startswith("E:") for message in recording["msgs"])


@pytest.mark.parametrize("model", RECORDED)
def test_the_npu_gets_the_recorded_bytes(
    model: str, io_mode: str, open_session: OpenSession, npu: FakeNpu, shared: Path
) -> None:
    """A session's input buffers equal those recorded from the vendor's library, for each element type."""
    recordings = json.loads((shared / "golden" / f"inputs_set_{model}.json").read_text())
    compared = 0
    for recording in recordings:
        if recording["fmt"] != "NHWC" or recording["type"] not in DTYPES or is_refused(recording):
            continue
        arrays = [recorded_vector(recording["type"], i["n_elems"]).reshape(i["dims"]) for i in recording["ins"]]
        with open_session(shared / "golden" / "models" / f"{model}.rknn", layout="nhwc", io_mode=io_mode) as session:
            buffers = buffers_of_a_run(session, npu, arrays)
        for ours, text, given in zip(buffers, recording["inbuf"], recording["ins"]):
            theirs = base64.b64decode(text)[: len(ours)]
            if is_padded_by_the_npu(io_mode, recording["type"]):
                ours, theirs = (pixels(b, given["dims"], given["w_stride"]) for b in (ours, theirs))
            assert ours == theirs, (recording["type"], "differs")
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float16])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("model", COMMITTED)
def test_the_npu_gets_the_same_bytes_as_from_the_librarys_own_calls(
    model: str,
    layout: str,
    dtype: type,
    io_mode: str,
    open_session: OpenSession,
    raw: Callable[[str], Raw],
    npu: FakeNpu,
) -> None:
    """A session's buffers equal those of rknn_inputs_set with the same image, in any layout and type."""
    context = raw(model)
    theirs: list[Any] = []
    generator = np.random.default_rng(0)
    # Numbers that every input can represent: outside its range the library wraps some inputs and saturates others.
    images: list[Any] = [_in_range(i, generator).astype(dtype) for i in context.inputs]
    npu.compute(
        lambda s: None if theirs else theirs.extend(input_buffers(s, len(context.inputs), len(context.outputs)))
    )
    context.run(images)
    turned = [i.transpose(0, 3, 1, 2) if i.ndim == 4 and layout == "nchw" else i for i in images]
    ours = buffers_of_a_run(open_session(model, layout=layout, io_mode=io_mode), npu, turned)
    if is_padded_by_the_npu(io_mode, np.dtype(dtype).name):
        ours, theirs = (
            [pixels(b, i.shape, i.row) for b, i in zip(buffers, context.inputs)] for buffers in (ours, theirs)
        )
    assert ours == theirs


@pytest.mark.parametrize("model", ["conv_c1_int8", "mean_std_int8", "two_inputs_int8", "conv_c16_int8", "conv_c4_fp16"])
def test_pixels_and_numbers_can_alternate(
    model: str, io_mode: str, open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """A context of 1.5.2 that has had pixels goes on normalising, silently, any later input, by rknn_inputs_set as
    well as in bound memory."""
    session, watch = open_session(model, layout="nhwc", io_mode=io_mode), Watch(raw(model), npu)
    feeds, expected = [], []
    for seed, dtype in enumerate((np.uint8, np.float32, np.float16)):
        context = raw(model)
        feeds.append(images_of(context, dtype, seed))
        context.run(feeds[-1])
        expected.append(watch.take())
    for turn in (0, 1, 0, 2, 1, 0):
        session.run(None, dict(zip(session.input_names, feeds[turn])))
        assert watch.take() == expected[turn]


def _in_range(attribute: Any, generator: np.random.Generator) -> np.ndarray:
    if len(attribute.shape) == 4:
        return generator.integers(0, 256, attribute.shape)
    top = max((127 - attribute.zero_point) * attribute.scale, 0) if attribute.dtype == np.int8 else 100
    return generator.integers(0, int(top) + 1, attribute.shape)


def test_a_vector_saturates_where_the_library_alone_would_wrap(
    io_mode: str, open_session: OpenSession, npu: FakeNpu
) -> None:
    """rknn_inputs_set takes int8 vectors modulo 256; a session passes it nothing that wraps."""
    session = open_session("vector_int8", io_mode=io_mode)
    (argument,) = session.get_inputs()
    array = np.full(argument.shape, 1e6, np.float32)
    array.flat[0] = -1e6
    (buffer,) = buffers_of_a_run(session, npu, [array])
    assert np.frombuffer(buffer, np.int8)[: array.size].tolist() == [-128] + [127] * (array.size - 1)
