# SPDX-License-Identifier: Apache-2.0
"""Values on the NPU, and bindings of them, for the tests."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ez_rknn_async import (
    InferenceSession,
    IOBinding,
    OrtValue,
)
from ez_rknn_async._runtime.abi import ffi

from .conftest import feed_of

PAGE = os.sysconf("SC_PAGESIZE")


def on_npu(session: InferenceSession, array: Any, name: str = "x", **keywords: Any) -> OrtValue:
    return OrtValue.ortvalue_from_numpy(array, "rknpu2", 0, name=name, session=session, **keywords)


def room(session: InferenceSession, name: str, element_type: Any = None, **keywords: Any) -> OrtValue:
    shapes = {n.name: n.shape for n in (*session.get_inputs(), *session.get_outputs())}
    return OrtValue.ortvalue_from_shape_and_type(
        shapes[name], element_type, "rknpu2", 0, session=session, name=name, **keywords
    )


def raw_bytes(value: OrtValue) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bytes in the memory of a value, as the NPU sees them."""
    size = value.memory_info()["size_with_stride"]
    return np.frombuffer(ffi.buffer(ffi.cast("char *", value.data_ptr()), size), np.uint8).copy()


def memory_files() -> int:
    """Return the number of pieces of memory that the simulated NPU has allocated in this process and not yet freed."""
    gc.collect()
    paths = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sum("ez_rknn_memory" in os.readlink(path) for path in paths if os.path.islink(path))


@contextmanager
def memfd(size: int) -> Iterator[int]:
    """Return a file in memory, which stands for the dma-buf of a camera."""
    fd = os.memfd_create("camera")
    os.truncate(fd, size)
    try:
        yield fd
    finally:
        os.close(fd)


def bound(session: InferenceSession, feed: dict[str, Any] | None = None) -> IOBinding:
    """Return a binding with every input on the NPU; the first run binds the outputs."""
    binding = session.io_binding()
    for name, array in (feed or feed_of(session)).items():
        binding.bind_ortvalue_input(name, on_npu(session, array, name, io_kind="input"))
    return binding


@contextmanager
def held_back(session: InferenceSession) -> Iterator[None]:
    """Hold back results until the block is left, so that the inferences in it stay under way."""
    inside, leave = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        inside.set()
        leave.wait()

    session.run_async(None, feed_of(session), wait)
    inside.wait()
    try:
        yield
    finally:
        leave.set()
