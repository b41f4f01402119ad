"""One piece of NPU memory, reachable for every context that is to use it.

Memory is allocated once, by the first context of a session, or comes as a file descriptor (a dma-buf). Every other
context takes the same pages in, under the same descriptor and at the same address: those of the session's other
workers, so that any core can run with it, and those of other sessions, so that the output of one model is the input of
the next without being moved.

The context that allocated it stays until it is freed, even if its session is closed before.
"""

from __future__ import annotations

import collections
import gc
import itertools
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from .._host import greenlets
from .._runtime.abi import ffi
from .._runtime.context import describe
from .._runtime.memory import FLAGS, Memory

if TYPE_CHECKING:
    from .._contexts.pool import Contexts
    from .._runtime.context import Context, TensorAttribute


class DeviceMemory:
    """Memory that NPU contexts share; it is given back when nobody refers to it any more.

    Attributes:
        size: how many bytes it has.
        is_imported: whether it is another owner's: a dma-buf that was handed in.
        needs_sync: whether CPU caches stand between the program and the NPU.
    """

    def __init__(self, origin: Memory, contexts: Contexts, *, is_imported: bool, needs_sync: bool) -> None:
        """Use :meth:`allocate` or :meth:`from_fd`."""
        self.size = origin.size
        self.is_imported = is_imported
        self.needs_sync = needs_sync
        self._origin = origin
        self._lock = greenlets.lock()  # guards _handles
        self._handles: list[Handles] = []
        # Not at the end of the interpreter: an inference may still be under way then.
        weakref.finalize(self, _drop, origin, self._handles, os.getpid()).atexit = False
        self._handles_of(contexts)

    @classmethod
    def allocate(cls, contexts: Contexts, size: int, flags: str) -> DeviceMemory:
        """New memory; ``flags`` is one of :data:`._runtime.memory.FLAGS`.

        Raises:
            RknnClosedError: the session is closed.
            RknnDeviceError: there is no memory left.
            RknnValueError: the runtime has no such memory.
        """
        _free_dropped(_AT_ONCE)
        with contexts.lend() as context:
            origin = Memory.allocate(context, size, FLAGS[flags], stays=True)
        return cls(origin, contexts, is_imported=False, needs_sync=flags != "non_cacheable")

    @classmethod
    def from_fd(cls, contexts: Contexts, fd: int, size: int, offset: int) -> DeviceMemory:
        """Memory that a descriptor of another owner stands for; the descriptor may be closed afterwards.

        Raises:
            RknnClosedError: the session is closed.
            RknnValueError: the descriptor is none, or has not that many bytes.
        """
        _free_dropped(_AT_ONCE)
        with contexts.lend() as context:
            origin = Memory.from_fd(context, fd, size, offset, stays=True)
        return cls(origin, contexts, is_imported=True, needs_sync=True)

    @property
    def origin(self) -> Memory:
        """The memory as the context knows it that allocated it or took it in first."""
        return self._origin

    @property
    def import_count(self) -> int:
        """How many contexts have taken it in."""
        with self._lock:
            return sum(handles.count for handles in self._handles)

    def bound(self, contexts: Contexts, attribute: TensorAttribute) -> Bound:
        """The memory bound as an input or output of the model that runs on these contexts.

        Raises:
            RknnDeviceError: a context cannot take it in.
        """
        return self._handles_of(contexts).bound(attribute)

    def _handles_of(self, contexts: Contexts) -> Handles:
        with self._lock:
            for handles in self._handles:
                if handles.contexts is contexts:
                    return handles
            handles = Handles(self._origin, contexts)
            # In place: the finalizer has this list.
            self._handles[:] = [kept for kept in self._handles if not kept.contexts.is_closed] + [handles]
            return handles


class Bound:
    """Memory as one input or output: what a task needs to know of it.

    Attributes:
        attribute: ``rknn_tensor_attr *``.
        memories: ``rknn_tensor_mem *[]``, by worker.
        number: of this memory with this attribute.
    """

    _numbers = itertools.count(1 << 32)  # far from those that direct I/O gives to its own memory

    def __init__(self, attribute: TensorAttribute, memories: Any) -> None:
        self.attribute = describe([attribute])
        self.memories = memories
        self.number = next(self._numbers)


class Handles:
    """One piece of memory as the contexts of one session know it.

    Attributes:
        contexts: those.
    """

    def __init__(self, origin: Memory, contexts: Contexts) -> None:
        """Take the memory in, in all contexts but its own.

        Raises:
            RknnDeviceError: one of them refuses.
        """
        self.contexts = contexts
        self._origin = origin
        self._memories: list[Memory | None] = [None] * len(contexts)
        self._structures = ffi.new("rknn_tensor_mem *[]", len(contexts))
        self._bound: dict[TensorAttribute, Bound] = {}
        self._is_freed = False
        self._lock = greenlets.lock()  # one context at a time
        contexts.watch(self)  # first: a context that is replaced from now on is not missed
        try:
            for worker in range(len(contexts)):
                self.replaced(worker, contexts[worker])
        except BaseException:
            self.free()
            raise

    @property
    def count(self) -> int:
        """In how many contexts it was taken in."""
        return sum(memory is not None for memory in self._memories)

    def bound(self, attribute: TensorAttribute) -> Bound:
        """The memory bound with this attribute; always the same answer for the same one."""
        bound = self._bound.get(attribute)
        return bound or self._bound.setdefault(attribute, Bound(attribute, self._structures))

    def replaced(self, worker: int, context: Context) -> None:
        """Take the memory in, in what is now the context of a worker. What the former one had goes with it."""
        with self._lock:
            if context is not self.contexts[worker]:
                return  # replaced meanwhile; this is called for the fresh one, too
            if context is self._origin.context:
                self._memories[worker], self._structures[worker] = None, self._origin.structure
                return
            self._structures[worker] = ffi.NULL  # should what follows fail, binding it fails with a message
            memory = Memory.shared(context, self._origin)
            self._memories[worker], self._structures[worker] = memory, memory.structure
            if self._is_freed:
                memory.free()

    def free(self) -> None:
        """Give back what was taken in."""
        self._is_freed = True
        for memory in tuple(self._memories):
            if memory is not None:
                memory.free()


# What garbage collections have found and not yet given back. A collection ends the cycles of all threads on one of
# them, and no other begins before it has ended, while those threads go on allocating. So it only collects; each
# allocation then gives back more than it takes, and the thread that made the collection the rest.
_dropped: collections.deque[tuple[Memory, list[Handles], int]] = collections.deque()
_collecting: set[int] = set()  # the threads inside a garbage collection
_AT_ONCE = 4  # pieces of memory that an allocation gives back first


def _drop(origin: Memory, handles: list[Handles], pid: int) -> None:
    """Give back what nothing refers to any more, on the thread that let go of it, or after its garbage collection."""
    if threading.get_ident() in _collecting:
        _dropped.append((origin, handles, pid))
    else:
        _free(origin, handles, pid)


def _free(origin: Memory, handles: list[Handles], pid: int) -> None:
    """Never waits for another thread."""
    if os.getpid() != pid:
        return  # a forked child: the memory is its parent's
    for each in handles:
        each.free()
    origin.free()


def _free_dropped(count: int | None = None) -> None:
    for _ in itertools.count() if count is None else range(count):
        try:
            dropped = _dropped.popleft()
        except IndexError:
            return
        _free(*dropped)


def _on_collection(phase: str, _: dict[str, int]) -> None:
    if phase == "start":
        _collecting.add(threading.get_ident())
    else:
        _collecting.discard(threading.get_ident())
        _free_dropped()


if hasattr(gc, "callbacks"):  # not in PyPy, whose collections run no finalizers
    gc.callbacks.append(_on_collection)
