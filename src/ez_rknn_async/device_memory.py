"""One piece of NPU memory, reachable for every context that is to use it.

Memory is allocated once, by the first context of a session, or comes as a file descriptor (a dma-buf). Every other
context takes the same pages in, under the same descriptor and at the same address: those of the session's other
workers, so that any core can run with it, and those of other sessions, so that the output of one model is the input of
the next without being moved.

The contexts of the session that allocated it stay until it is freed, even if that session is closed before.
"""

from __future__ import annotations

import collections
import itertools
import os
import weakref
from typing import TYPE_CHECKING, Any

from . import greenlets
from .runtime.abi import ffi
from .runtime.context import describe
from .runtime.memory import FLAGS, Memory

if TYPE_CHECKING:
    from .contexts import Contexts, Loan
    from .runtime.context import Context, TensorAttribute


class DeviceMemory:
    """Memory that NPU contexts share; it is given back when nobody refers to it any more.

    Attributes:
        size: how many bytes it has.
        is_imported: whether it is somebody else's: a dma-buf that was handed in.
        needs_sync: whether CPU caches stand between the program and the NPU.
    """

    def __init__(self, origin: Memory, contexts: Contexts, loan: Loan, *, is_imported: bool, needs_sync: bool) -> None:
        """Use :meth:`allocate` or :meth:`from_fd`."""
        self.size = origin.size
        self.is_imported = is_imported
        self.needs_sync = needs_sync
        self._origin = origin
        self._lock = greenlets.lock()  # guards _handles
        self._handles: list[Handles] = []
        self._handles_of(contexts)
        # Not at the end of the interpreter: an inference may still be under way then.
        weakref.finalize(self, _dropped, origin, self._handles, loan, os.getpid()).atexit = False

    @classmethod
    def allocate(cls, contexts: Contexts, size: int, flags: str) -> DeviceMemory:
        """New memory; ``flags`` is one of :data:`.runtime.memory.FLAGS`.

        Raises:
            RknnClosedError: the session is closed.
            RknnDeviceError: there is no memory left.
            RknnValueError: the runtime has no such memory.
        """
        loan = contexts.lend()
        try:
            origin = Memory.allocate(loan.context, size, FLAGS[flags])
            return cls(origin, contexts, loan, is_imported=False, needs_sync=flags != "non_cacheable")
        except BaseException:
            loan.end()
            raise

    @classmethod
    def from_fd(cls, contexts: Contexts, fd: int, size: int, offset: int) -> DeviceMemory:
        """Memory that somebody else's descriptor stands for, which may be closed afterwards.

        Raises:
            RknnClosedError: the session is closed.
            RknnValueError: the descriptor is none, or has not that many bytes.
        """
        loan = contexts.lend()
        try:
            origin = Memory.from_fd(loan.context, fd, size, offset)
            return cls(origin, contexts, loan, is_imported=True, needs_sync=True)
        except BaseException:
            loan.end()
            raise

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
        contexts.watch(self)  # first: a context that is replaced from now on is not missed
        try:
            for worker, context in enumerate(contexts):
                if self._memories[worker] is None:
                    self.replaced(worker, context)
        except BaseException:
            self.free()
            raise

    @property
    def count(self) -> int:
        """In how many contexts it was taken in."""
        return sum(memory is not None for memory in self._memories)

    def bound(self, attribute: TensorAttribute) -> Bound:
        """The memory bound with this attribute; always the same answer for the same one."""
        if attribute not in self._bound:
            self._bound[attribute] = Bound(attribute, self._structures)
        return self._bound[attribute]

    def replaced(self, worker: int, context: Context) -> None:
        """A worker has this context now. What the former one had goes with it."""
        if context is self._origin.context:
            self._memories[worker], self._structures[worker] = None, self._origin.structure
            return
        self._structures[worker] = ffi.NULL  # should what follows fail, binding it fails in words
        memory = Memory.shared(context, self._origin)
        self._memories[worker], self._structures[worker] = memory, memory.structure

    def free(self) -> None:
        """Give back what was taken in."""
        for memory in self._memories:
            if memory is not None:
                memory.free()


# What nobody refers to any more, until it was given back; and the right to do that, which one thread has at a time. A
# garbage collection comes at any moment on any thread, also inside another one's work here or while a context's lock is
# held. So it never waits: whoever has the right takes over what was dropped meanwhile.
_garbage: collections.deque[tuple[Memory, list[Handles], Loan]] = collections.deque()
_collecting = greenlets.lock()


def _dropped(origin: Memory, handles: list[Handles], loan: Loan, pid: int) -> None:
    if os.getpid() != pid:
        return  # a forked child: the memory is its parent's
    _garbage.append((origin, handles, loan))
    while _garbage and _collecting.acquire(blocking=False):
        try:
            while _garbage:
                _free(*_garbage.popleft())
        finally:
            _collecting.release()


def _free(origin: Memory, handles: list[Handles], loan: Loan) -> None:
    for each in handles:
        each.free()
    origin.free()
    loan.end()
