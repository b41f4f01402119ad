# SPDX-License-Identifier: Apache-2.0
"""Separate contexts for pixels and floats: why, and that they compute right and share one copy of the weights.

The first half shows the vendor's library by its own calls; the second, the sessions on top of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async._runtime.abi import ffi

from .conftest import OpenSession
from .npu import FakeNpu, Submission
from .raw import NHWC, TYPES

MODEL = "conv_c4_int8"
SHARE_WEIGHTS = 32
# Of the convolution core: how its input becomes int8. The first register's lowest bit switches all that off.
CONVERSION = (0x104C, 0x1050, 0x1054, 0x1058, 0x105C)


class Contexts:
    """Contexts of one model, by the library's own calls."""

    def __init__(self, library: str, model: Path) -> None:
        self._lib: Any = ffi.dlopen(library)
        self._model = model.read_bytes()
        self._made: list[int] = []

    def load(self, weights_of: int | None = None) -> int:
        """Load a context from the file, perhaps with the weights of another."""
        handle = ffi.new("rknn_context *")
        extend = ffi.NULL if weights_of is None else ffi.new("rknn_init_extend *", {"ctx": weights_of})
        flags = 0 if weights_of is None else SHARE_WEIGHTS
        content = ffi.from_buffer(self._model)
        assert self._lib.rknn_init(handle, content, len(self._model), flags, extend) == 0
        return self._kept(handle)

    def duplicate(self, of: int) -> int:
        """Duplicate a context."""
        handle = ffi.new("rknn_context *")
        assert self._lib.rknn_dup_context(ffi.new("rknn_context *", of), handle) == 0
        return self._kept(handle)

    def _kept(self, handle: Any) -> int:
        self._made.append(int(handle[0]))
        return self._made[-1]

    def close(self) -> None:
        """Destroy all, the last one first."""
        while self._made:
            assert self._lib.rknn_destroy(self._made.pop()) == 0

    def infer(self, context: int, dtype: type) -> None:
        """Set the input, the same numbers in any type, and run."""
        attribute: Any = ffi.new("rknn_tensor_attr *")
        query = ffi.typeof("rknn_query_cmd").relements["RKNN_QUERY_INPUT_ATTR"]
        assert self._lib.rknn_query(context, query, attribute, ffi.sizeof("rknn_tensor_attr")) == 0
        array: Any = (np.arange(attribute.n_elems) % 100).astype(dtype)
        given = {
            "buf": ffi.cast("void *", array.ctypes.data),
            "size": array.nbytes,
            "type": TYPES[array.dtype.name],
            "fmt": NHWC,
        }
        assert self._lib.rknn_inputs_set(context, 1, ffi.new("rknn_input[]", [given])) == 0
        assert self._lib.rknn_run(context, ffi.NULL) == 0


@pytest.fixture
def contexts(npu: FakeNpu, vendor_library: str, data: Path) -> Iterator[Contexts]:
    """Contexts of a model whose pixels the NPU itself normalises and quantises."""
    made = Contexts(vendor_library, data / f"{MODEL}.rknn")
    yield made
    made.close()


def conversion(submission: Submission) -> list[tuple[int, ...]]:
    """Return the registers that convert the input, of the layer that reads it."""
    (first,) = [task for task in submission.registers.values() if task.get(0x1070)][:1]
    return [tuple(first.get(register, 0) for register in CONVERSION)]


def is_off(submission: Submission) -> bool:
    """True if the NPU reads its input unconverted."""
    return bool(conversion(submission)[0][0] & 1)


# ---- The library alone ----


def test_a_context_that_had_pixels_normalises_every_later_input(contexts: Contexts, npu: FakeNpu) -> None:
    """Every call returns success; a context that never had pixels does not, and may get some later."""
    context = contexts.load()
    for dtype in (np.float32, np.uint8, np.float32):
        contexts.infer(context, dtype)
    assert [is_off(submission) for submission in npu.submissions] == [True, False, False]


def test_a_duplicate_inherits_its_originals_kind_of_input(contexts: Contexts, npu: FakeNpu) -> None:
    """So a lane cannot be opened by duplicating the contexts of another."""
    context = contexts.load()
    untouched = contexts.duplicate(context)
    contexts.infer(context, np.uint8)
    for each in (untouched, contexts.duplicate(context)):
        contexts.infer(each, np.float32)
    assert [is_off(submission) for submission in npu.submissions] == [False, True, False]


def test_a_context_that_borrows_the_weights_inherits_nothing_else(contexts: Contexts, npu: FakeNpu) -> None:
    """It is loaded from the same file, which has the weights as well, and reads those of the other one all the same."""
    context = contexts.load()
    contexts.infer(context, np.uint8)
    borrower = contexts.load(weights_of=context)
    duplicate = contexts.duplicate(borrower)
    for each in (borrower, duplicate, context):
        contexts.infer(each, np.uint8 if each == context else np.float32)
    assert [is_off(submission) for submission in npu.submissions] == [False, True, True, False]
    weights = {task[0x1110] for submission in npu.submissions for task in list(submission.registers.values())[:1]}
    assert len(weights) == 1


# ---- Sessions ----


def test_every_lane_gets_the_input_of_a_separate_session(io_mode: str, open_session: OpenSession, npu: FakeNpu) -> None:
    """The bytes that the NPU reads and their conversion are the same, in any order and however often they alternate."""
    numbers = np.random.default_rng(1).integers(0, 256, open_session(MODEL).get_inputs()[0].shape)
    images = {dtype: numbers.astype(dtype) for dtype in (np.uint8, np.float32)}

    def given(session: Any, image: np.ndarray) -> tuple[bytes, list[tuple[int, ...]]]:
        npu.forget()
        session.run(None, [image])
        (submission,) = npu.submissions
        address = next(task[0x1070] for task in submission.registers.values() if task.get(0x1070))
        return submission.at(address, image.size).tobytes(), conversion(submission)

    expected = {dtype: given(open_session(MODEL, io_mode=io_mode), image) for dtype, image in images.items()}
    assert expected[np.uint8][1] != expected[np.float32][1]
    for order in ((np.uint8, np.float32), (np.float32, np.uint8)):
        session = open_session(MODEL, io_mode=io_mode)
        for dtype in order * 3:
            assert given(session, images[dtype]) == expected[dtype]


def test_the_weights_of_all_lanes_are_in_memory_once(io_mode: str, open_session: OpenSession, npu: FakeNpu) -> None:
    """A lane costs the memory that its contexts write, not what they read."""

    def weights() -> int:
        # The memory of the weights begins with the file itself.
        return sum(memory.bytes[:4].tobytes() == b"RKNN" for memory in npu.memories())

    session = open_session(MODEL, schedule=[0, 1], io_mode=io_mode)
    memories = len(npu.memories())
    for dtype in (np.uint8, np.float32):
        for _ in range(2):
            session.run(None, [np.zeros(session.get_inputs()[0].shape, dtype)])
    assert len(npu.memories()) > memories
    assert weights() == 1
