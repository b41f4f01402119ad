# SPDX-License-Identifier: Apache-2.0
"""The memory of values on the NPU: place, lifetime and owner."""

from __future__ import annotations

import os
import weakref
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import (
    OrtValue,
    RknnClosedError,
    RknnValueError,
)
from ez_rknn_async._runtime.memory import FLAGS, Memory

from .conftest import OpenSession, feed_of
from .values import PAGE, memfd, memory_files, on_npu, room

# ---- On the NPU: memory ----


def test_a_value_describes_its_memory(open_session: OpenSession) -> None:
    """It has the keys of the library that this one replaces, and the quantisation."""
    session = open_session("tiny_conv_int8", schedule=[0, 1, 2])
    value = room(session, session.input_names[0])
    info = value.memory_info()
    arg = session.get_inputs()[0]
    assert arg.quantization is not None
    expected = {"device_type": "rknpu2", "device_id": 0, "dmabuf_backed": True, "import_count": 2, "offset": 0}
    assert {key: info[key] for key in expected} == expected
    assert (info["scale"], info["zero_point"]) == (arg.quantization.scale, arg.quantization.zero_point)
    assert {"size", "fd", "virt_addr", "attr_size", "size_with_stride", "w_stride", "h_stride"} <= set(info)
    assert {"fmt", "pass_through", "aligned_size", "core_id", "layout", "strides"} <= set(info)


@pytest.mark.parametrize(
    ("mem_flags", "flags", "syncs"),
    [
        ("cacheable", "cacheable", True),
        ("non_cacheable", "non_cacheable", False),
        ("uncached", "non_cacheable", False),
        ("try_sram", "try_sram", True),
        ("sram", "try_sram", True),
        (2, "non_cacheable", False),
        (None, "default", True),
    ],
)
def test_mem_flags_reach_the_runtime(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch, mem_flags: Any, flags: str, syncs: bool
) -> None:
    """That library ignored them. Memory without a cache is not synchronised."""
    session = open_session()
    asked: list[int] = []
    synced: list[Memory] = []
    allocate = Memory.allocate

    def record(context: Any, size: int, flags: int = 0, *, stays: bool = False) -> Memory:
        asked.append(flags)
        return allocate(context, size, flags, stays=stays)

    monkeypatch.setattr(Memory, "allocate", record)
    monkeypatch.setattr(Memory, "to_device", lambda memory: synced.append(memory))
    value = room(session, session.input_names[0], mem_flags=mem_flags)
    value.update_inplace(np.zeros(value.shape(), np.float32))
    assert asked == [FLAGS[flags]]
    assert bool(synced) == syncs


def test_a_value_outlives_its_session(open_session: OpenSession) -> None:
    """Its memory is the session's, which goes when its last value goes."""
    before = memory_files()
    session = open_session(schedule=[0, 1])
    array = feed_of(session)[session.input_names[0]]
    value = on_npu(session, array, session.input_names[0])
    session.close()
    assert np.allclose(value.numpy(), array, atol=value.memory_info()["scale"])
    with pytest.raises(RknnClosedError):
        room(session, session.input_names[0])
    del value
    assert memory_files() == before


def test_memory_is_freed_with_its_value(open_session: OpenSession) -> None:
    """It goes at once, and not with the session."""
    session = open_session()
    before = memory_files()
    value = room(session, session.input_names[0])
    assert memory_files() == before + 1
    gone = weakref.ref(value)
    del value
    assert gone() is None
    assert memory_files() == before


def test_values_collected_while_another_one_is_freed_go_too(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A garbage collection may come inside the release of a value, on the same thread; nothing deadlocks."""
    session = open_session()
    before = memory_files()
    values = [room(session, session.input_names[0]) for _ in range(3)]
    free = Memory.free

    def collecting_free(memory: Memory) -> None:
        values.clear()
        free(memory)

    monkeypatch.setattr(Memory, "free", collecting_free)
    values.pop()
    assert values == []
    assert memory_files() == before


# ---- Foreign memory ----


@pytest.mark.parametrize("offset", [0, PAGE, 3 * PAGE])
def test_the_npu_reads_a_camera_frame_in_place(open_session: OpenSession, offset: int) -> None:
    """The offset counts for the NPU and for the CPU; that library forgot it for the CPU."""
    session = open_session("conv_c4_int8", simulator="compute=on")
    (arg,) = session.get_inputs()
    frame = np.random.default_rng(5).integers(0, 256, arg.shape, np.uint8)
    size = room(session, arg.name, np.uint8).memory_info()["size_with_stride"]
    with memfd(offset + size + PAGE) as fd:
        value = OrtValue.ortvalue_from_dmabuf(
            fd, arg.shape, np.uint8, size=size, offset=offset, session=session, name=arg.name, io_kind="input"
        )
        os.pwrite(fd, b"\xaa" * PAGE, offset + size)
        stride = value.memory_info()["w_stride"]
        n, c, h, w = arg.shape
        rows = np.zeros((n, h, stride, c), np.uint8)
        rows[:, :, :w] = frame.transpose(0, 2, 3, 1)
        os.pwrite(fd, rows.tobytes(), offset)  # as the camera would, without telling the program
        assert os.pread(fd, PAGE, offset + size) == b"\xaa" * PAGE
    value.sync_from_device()
    assert np.array_equal(value.numpy("native"), frame)
    assert (value.memory_info()["offset"], value.memory_info()["size"]) == (offset, size)
    binding = session.io_binding()
    binding.bind_ortvalue_input(arg.name, value)
    session.run_with_iobinding(binding)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], session.run(None, {arg.name: frame})[0])


def test_the_npu_writes_an_output_into_foreign_memory(open_session: OpenSession) -> None:
    """The next device reads it there."""
    session = open_session("tiny_conv_int8", simulator="compute=on")
    feed, (out,) = feed_of(session), session.get_outputs()
    size = room(session, out.name).memory_info()["size_with_stride"]
    with memfd(PAGE + size) as fd:
        value = OrtValue.ortvalue_from_dmabuf(
            fd, out.shape, np.int8, size=size, offset=PAGE, session=session, name=out.name, io_kind="output"
        )
        binding = session.io_binding()
        binding.bind_cpu_input(session.input_names[0], feed[session.input_names[0]])
        binding.bind_ortvalue_output(out.name, value)
        session.run_with_iobinding(binding)
        n, c, h, w = out.shape
        written = np.frombuffer(os.pread(fd, n * c * h * w, PAGE), np.int8).reshape(n, h, w, c).transpose(0, 3, 1, 2)
    assert np.array_equal(written, session.run(None, feed, {"output_dtype": "native"})[0])


def test_refuses_memory_that_is_too_small_before_using_it(open_session: OpenSession) -> None:
    """It is smaller than the tensor with its rows, or than its stated size; that library found out on the NPU."""
    session = open_session("odd_size_int8")
    (arg,) = session.get_inputs()
    needed = room(session, arg.name).memory_info()["size_with_stride"]
    where: dict[str, Any] = {"session": session, "name": arg.name, "io_kind": "input"}
    with memfd(needed) as fd:
        with pytest.raises(RknnValueError, match=f"{needed - 1} bytes, but .* needs {needed} as int8; its rows are"):
            OrtValue.ortvalue_from_dmabuf(fd, arg.shape, np.int8, size=needed - 1, **where)
        with pytest.raises(RknnValueError, match=f"has {needed} bytes, but {needed} at offset {PAGE}"):
            OrtValue.ortvalue_from_dmabuf(fd, arg.shape, np.int8, size=needed, offset=PAGE, **where)


@pytest.mark.parametrize("fd", [-1, 10**6])
def test_refuses_a_descriptor_that_is_not_memory(open_session: OpenSession, fd: int) -> None:
    """The vendor's library takes any number for a descriptor."""
    session = open_session()
    with pytest.raises(RknnValueError):
        OrtValue.ortvalue_from_dmabuf(
            fd, session.get_inputs()[0].shape, np.int8, size=10**6, session=session, name=session.input_names[0]
        )
