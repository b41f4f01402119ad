# SPDX-License-Identifier: Apache-2.0
"""Memory that the program and the NPU share."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY
from ez_rknn_async._runtime.memory import FLAGS, Memory
from ez_rknn_async.errors import RknnClosedError, RknnDeviceError, RknnValueError

PAGE = 4096


class Runtime:
    """A runtime that counts what it allocates and frees, with or without the newer functions."""

    path = "librknnrt.so"

    def __init__(self, *lacking: str) -> None:
        self.lacking = lacking
        self.refuses = False
        self.flags: list[int] = []
        self.syncs: list[int] = []
        self.freed: list[Any] = []
        self._kept: list[Any] = []

    def has(self, name: str) -> bool:
        return name not in self.lacking

    def function(self, name: str) -> Any:
        return getattr(self, name)

    def call(self, name: str, *arguments: Any) -> None:
        getattr(self, name)(*arguments)

    def invoke(self, name: str, *arguments: Any) -> Any:
        return getattr(self, name)(*arguments)

    def last_error(self) -> str:
        return "nothing is left" if self.has("ez_rknn_last_error") else ""

    def remark(self, _context: int) -> str:
        return ""

    def _give(self, size: int) -> Any:
        if self.refuses:
            return ffi.NULL
        buffer = ffi.new("char[]", size)
        structure = ffi.new("rknn_tensor_mem *", {"virt_addr": buffer, "size": size, "fd": -1})
        self._kept += [buffer, structure]
        return structure

    def rknn_create_mem(self, _: int, size: int) -> Any:
        return self._give(size)

    def rknn_create_mem2(self, _: int, size: int, flags: int) -> Any:
        self.flags.append(flags)
        return self._give(size)

    def rknn_create_mem_from_fd(self, _: int, fd: int, address: Any, size: int, offset: int) -> Any:
        if self.refuses:
            return ffi.NULL
        fields = {"virt_addr": address, "size": size, "fd": fd, "offset": offset}
        self._kept.append(ffi.new("rknn_tensor_mem *", fields))
        return self._kept[-1]

    def rknn_mem_sync(self, _: int, structure: Any, mode: int) -> int:
        self.syncs.append(mode)
        return 0

    def rknn_destroy_mem(self, _: int, structure: Any) -> int:
        self.freed.append(structure)
        return 0

    def rknn_destroy(self, _: int) -> int:
        self.freed.append("context")
        return 0


@pytest.fixture
def runtime() -> Runtime:
    return Runtime()


def context(runtime: Any) -> Context:
    return Context(runtime, 1)


@pytest.fixture
def memfd() -> Iterator[int]:
    """Two pages of memory from outside the runtime."""
    fd = os.memfd_create("camera")
    os.truncate(fd, 2 * PAGE)
    yield fd
    os.close(fd)


def test_memory_is_writable_and_has_the_requested_size(runtime: Runtime) -> None:
    """The NPU reads where the CPU writes."""
    memory = Memory.allocate(context(runtime), 5)
    memory.view()[:] = b"12345"
    assert bytes(ffi.buffer(memory.structure.virt_addr, 5)) == b"12345"
    assert len(memory.view()) == memory.size == 5


@pytest.mark.parametrize("name", FLAGS)
def test_asks_a_newer_runtime_for_the_kind_of_memory(runtime: Runtime, name: str) -> None:
    """mem_flags takes effect if rknn_create_mem2 exists."""
    Memory.allocate(context(runtime), 8, FLAGS[name])
    assert runtime.flags == [FLAGS[name]]


def test_an_older_runtime_only_gives_ordinary_memory() -> None:
    """A silent substitute would fail a program that relies on memory without a cache."""
    old = Runtime("rknn_create_mem2")
    assert Memory.allocate(context(old), 8, FLAGS["cacheable"]).size == 8
    with pytest.raises(RknnValueError, match="mem_flags='non_cacheable' needs a runtime that has rknn_create_mem2"):
        Memory.allocate(context(old), 8, FLAGS["non_cacheable"])


def test_failed_allocation_raises_a_clear_error(runtime: Runtime) -> None:
    """The functions return NULL and no code."""
    runtime.refuses = True
    with pytest.raises(RknnDeviceError, match=r"rknn_create_mem2 gave no NPU memory \(7 bytes\): nothing is left"):
        Memory.allocate(context(runtime), 7)


def test_memory_is_freed_once_and_then_unusable(runtime: Runtime) -> None:
    """A second rknn_destroy_mem would abort the process."""
    memory = Memory.allocate(context(runtime), 8)
    memory.free()
    memory.free()
    assert len(runtime.freed) == 1
    assert memory.is_free
    with pytest.raises(RknnClosedError):
        memory.view()


def test_a_context_frees_its_memory_before_itself(runtime: Runtime) -> None:
    """It cannot be freed afterwards."""
    owner = context(runtime)
    memories = [Memory.allocate(owner, 8) for _ in range(3)]
    memories[1].free()
    owner.destroy()
    assert len(runtime.freed) == 4
    assert runtime.freed[-1] == "context"
    assert all(memory.is_free for memory in memories)


def test_a_destroyed_context_goes_after_memory_that_is_being_freed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collected value's memory is freed on any thread, also during the session's end; neither waits."""
    owner = context(runtime)
    memory = Memory.allocate(owner, 8)
    destroy_memory = runtime.rknn_destroy_mem

    def slow_destroy_memory(handle: int, structure: Any) -> int:
        destroyer = threading.Thread(target=owner.destroy)
        destroyer.start()
        destroyer.join()
        assert runtime.freed == []
        return destroy_memory(handle, structure)

    monkeypatch.setattr(runtime, "rknn_destroy_mem", slow_destroy_memory)
    memory.free()
    assert len(runtime.freed) == 2
    assert runtime.freed[-1] == "context"


def test_kept_memory_outlives_the_end_of_its_context(runtime: Runtime) -> None:
    """A value keeps its content when its session is closed; the context goes with it."""
    owner = context(runtime)
    staying, going = Memory.allocate(owner, 8, stays=True), Memory.allocate(owner, 8)
    owner.destroy()
    assert (staying.is_free, going.is_free) == (False, True)
    assert "context" not in runtime.freed
    staying.free()
    assert runtime.freed[-1] == "context"


def test_rejects_memory_for_a_destroyed_context(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Destruction may come during the allocation: nothing is left behind, and nothing is freed twice."""
    owner = context(runtime)
    create = runtime.rknn_create_mem2

    def interrupted_create(handle: int, size: int, flags: int) -> Any:
        owner.destroy()
        return create(handle, size, flags)

    monkeypatch.setattr(runtime, "rknn_create_mem2", interrupted_create)
    with pytest.raises(RknnClosedError, match="closed while"):
        Memory.allocate(owner, 8)
    assert len(runtime.freed) == 2
    assert runtime.freed[-1] == "context"
    with pytest.raises(RknnClosedError, match="was destroyed"):
        Memory.allocate(owner, 8)


def test_a_garbage_collection_while_freeing_may_free_more(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes on the same thread, inside the same call: waiting for that thread would deadlock."""
    owner = context(runtime)
    first, second = (Memory.allocate(owner, 8) for _ in range(2))
    destroy_memory = runtime.rknn_destroy_mem

    def collecting_destroy_memory(handle: int, structure: Any) -> int:
        second.free()
        return destroy_memory(handle, structure)

    monkeypatch.setattr(runtime, "rknn_destroy_mem", collecting_destroy_memory)
    first.free()
    owner.destroy()
    assert len(runtime.freed) == 3
    assert first.is_free
    assert second.is_free


def test_synchronises_memory_if_the_runtime_can() -> None:
    """Older runtimes do it in every run, and have no function for it."""
    new, old = Runtime(), Runtime("rknn_mem_sync")
    for runtime in (new, old):
        memory = Memory.allocate(context(runtime), 8)
        memory.to_device()
        memory.from_device()
    assert (new.syncs, old.syncs) == ([1, 2], [])


def test_imports_a_descriptor_without_a_copy(runtime: Runtime, memfd: int) -> None:
    """The camera's bytes are there, from the offset on."""
    memory = Memory.from_fd(context(runtime), memfd, 16, PAGE)
    os.pwrite(memfd, b"frame", PAGE)
    assert bytes(memory.view()[:5]) == b"frame"
    memory.view()[5:7] = b"!?"
    assert os.pread(memfd, 7, PAGE) == b"frame!?"
    assert (memory.size, memory.offset) == (16, PAGE)


def test_the_caller_may_close_the_descriptor(runtime: Runtime) -> None:
    """The runtime keeps a number, not a duplicate."""
    fd = os.memfd_create("camera")
    os.truncate(fd, PAGE)
    memory = Memory.from_fd(context(runtime), fd, PAGE)
    os.close(fd)
    assert os.fstat(memory.fd).st_size == PAGE
    kept = memory.fd
    memory.free()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kept)


def test_a_buffer_is_mapped_once_in_a_process(runtime: Runtime, memfd: int) -> None:
    """A runtime knows memory by its address: at another address it would import the buffer a second time."""
    gc.collect()  # what other tests have left may hold descriptors
    before = len(os.listdir("/proc/self/fd"))
    again = os.dup(memfd)
    memories = [Memory.from_fd(context(runtime), fd, 16, at) for fd, at in ((memfd, 0), (again, PAGE))]
    os.close(again)
    assert memories[0].structure.virt_addr == memories[1].structure.virt_addr
    assert memories[1].address - memories[0].address == PAGE
    memories[0].free()
    os.pwrite(memfd, b"frame", PAGE)
    assert bytes(memories[1].view()[:5]) == b"frame"
    memories[1].free()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_grown_buffer_is_mapped_again(runtime: Runtime, memfd: int) -> None:
    """The first mapping stays in place."""
    first = Memory.from_fd(context(runtime), memfd, PAGE)
    os.truncate(memfd, 4 * PAGE)
    second = Memory.from_fd(context(runtime), memfd, PAGE, 3 * PAGE)
    first.view()[:5] = second.view()[:5] = b"frame"
    assert os.pread(memfd, 5, 3 * PAGE) == os.pread(memfd, 5, 0) == b"frame"


def test_another_context_gets_the_same_address_and_descriptor(runtime: Runtime, memfd: int) -> None:
    """It therefore does not import the memory again, and nothing more is mapped."""
    origin = Memory.from_fd(context(runtime), memfd, 16, PAGE)
    before = os.listdir("/proc/self/fd")
    shared = Memory.shared(context(runtime), origin)
    ours, theirs = shared.structure, origin.structure
    assert (ours.virt_addr, ours.fd, ours.offset, shared.size) == (theirs.virt_addr, theirs.fd, theirs.offset, 16)
    assert os.listdir("/proc/self/fd") == before
    shared.free()
    origin.view()[:5] = b"frame"
    runtime.refuses = True
    with pytest.raises(RknnDeviceError, match="rknn_create_mem_from_fd"):
        Memory.shared(context(runtime), origin)


@pytest.mark.parametrize(("size", "offset"), [(2 * PAGE + 1, 0), (PAGE + 1, PAGE), (0, 0), (-1, 0), (1, -1)])
def test_refuses_a_piece_beyond_the_descriptors_end(runtime: Runtime, memfd: int, size: int, offset: int) -> None:
    """The vendor's library checks nothing, and the NPU would read foreign memory."""
    with pytest.raises(RknnValueError):
        Memory.from_fd(context(runtime), memfd, size, offset)


def test_refuses_a_descriptor_without_writable_memory(runtime: Runtime, tmp_path: Path) -> None:
    """The NPU could not write to it."""
    path = tmp_path / "file"
    path.write_bytes(bytes(PAGE))
    with path.open("rb") as file, pytest.raises(RknnValueError, match="read and written"):
        Memory.from_fd(context(runtime), file.fileno(), PAGE)
    read_end, write_end = os.pipe()
    with pytest.raises(RknnValueError):
        Memory.from_fd(context(runtime), read_end, PAGE)
    os.close(read_end)
    os.close(write_end)


def test_a_descriptor_that_the_runtime_refuses_leaves_nothing_open(runtime: Runtime, memfd: int) -> None:
    """Both the descriptor and the mapping are closed."""
    runtime.refuses = True
    before = os.listdir("/proc/self/fd")
    with pytest.raises(RknnDeviceError, match="rknn_create_mem_from_fd"):
        Memory.from_fd(context(runtime), memfd, PAGE)
    assert os.listdir("/proc/self/fd") == before


def test_the_simulated_npu_gives_memory_or_says_why(data: Path) -> None:
    """It is the same code as on a board."""
    owner = Context.open(load(str(SIMULATOR_LIBRARY)), str(data / "tiny_conv_int8.rknn"))
    try:
        with pytest.raises(RknnDeviceError, match="gave no NPU memory"):
            Memory.allocate(owner, 0)
    finally:
        owner.destroy()
