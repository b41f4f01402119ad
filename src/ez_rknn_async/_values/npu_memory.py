# SPDX-License-Identifier: Apache-2.0
"""One piece of NPU memory, within reach of every context that uses it.

Memory is allocated once, by the first context of a session, or comes as a file descriptor (a dma-buf). Every other
context imports the same pages, under the same descriptor and at the same address: those of the session's other workers,
so that any core can run with it, and those of other sessions, so that the output of one model is the input of the next
without being moved.

The context that allocated it stays until the memory is freed, even if its session is closed before.
"""

from __future__ import annotations

import collections
import functools
import gc
import itertools
import os
import threading
import weakref
from typing import TYPE_CHECKING

from .._contexts.worker_memory import WorkerMemory
from .._host import greenlets
from .._runtime.memory import FLAGS, Memory

if TYPE_CHECKING:
    from .._contexts.pool import Contexts
    from .._contexts.worker_memory import BoundMemory
    from .._runtime.context import Context
    from .._runtime.tensor_attribute import TensorAttribute


class DeviceMemory:
    """Memory that NPU contexts share; it is given back when nothing refers to it any more.

    Attributes:
        size: its bytes.
        is_imported: True if it is another owner's: a dma-buf that was handed in.
        needs_sync: True if CPU caches stand between the program and the NPU.
    """

    def __init__(self, origin: Memory, contexts: Contexts, *, is_imported: bool, needs_sync: bool) -> None:
        """Use :meth:`allocate` or :meth:`from_fd`."""
        self.size = origin.size
        self.is_imported = is_imported
        self.needs_sync = needs_sync
        self._origin = origin
        self._lock = greenlets.lock()  # guards _sessions
        self._sessions: list[SessionMemory] = []
        # Not at the end of the interpreter: an inference may still be under way then.
        weakref.finalize(self, _drop, origin, self._sessions, os.getpid()).atexit = False
        self._of(contexts)

    @classmethod
    def allocate(cls, contexts: Contexts, size: int, flags: str) -> DeviceMemory:
        """Allocate memory; ``flags`` is one of :data:`._runtime.memory.FLAGS`.

        Raises:
            RknnClosedError: the session is closed.
            RknnDeviceError: there is no memory left.
            RknnValueError: the runtime has no such memory.
        """
        _free_dropped(_FREED_FIRST)
        with contexts.lend() as context:
            origin = Memory.allocate(context, size, FLAGS[flags], stays=True)
        return cls(origin, contexts, is_imported=False, needs_sync=flags != "non_cacheable")

    @classmethod
    def from_fd(cls, contexts: Contexts, fd: int, size: int, offset: int) -> DeviceMemory:
        """Import another owner's memory by its descriptor, which may be closed afterwards.

        Raises:
            RknnClosedError: the session is closed.
            RknnValueError: the descriptor is invalid, or has fewer bytes.
        """
        _free_dropped(_FREED_FIRST)
        with contexts.lend() as context:
            origin = Memory.from_fd(context, fd, size, offset, stays=True)
        return cls(origin, contexts, is_imported=True, needs_sync=True)

    @property
    def origin(self) -> Memory:
        """The memory in the context that allocated it, or imported it first."""
        return self._origin

    @property
    def import_count(self) -> int:
        """The number of contexts that imported it."""
        with self._lock:
            return sum(session.import_count for session in self._sessions)

    def bound(self, contexts: Contexts, attribute: TensorAttribute) -> BoundMemory:
        """Return the memory bound as an input or output of the model that runs on these contexts.

        Raises:
            RknnDeviceError: a context cannot import it.
        """
        return self._of(contexts).bound(attribute)

    def _of(self, contexts: Contexts) -> SessionMemory:
        with self._lock:
            for session in self._sessions:
                if session.contexts is contexts:
                    return session
            session = SessionMemory(self._origin, contexts, needs_sync=self.needs_sync)
            # In place: the finalizer has this list.
            self._sessions[:] = [kept for kept in self._sessions if not kept.contexts.is_closed] + [session]
            return session


class SessionMemory:
    """One piece of memory in the contexts of one session.

    Attributes:
        contexts: the session's.
    """

    def __init__(self, origin: Memory, contexts: Contexts, *, needs_sync: bool) -> None:
        """Import the memory into all contexts but its own.

        Raises:
            RknnDeviceError: one of them refuses.
        """
        self.contexts = contexts
        self._origin = origin
        self._memory = WorkerMemory(len(contexts), functools.partial(_in_context, origin), needs_sync=needs_sync)
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
    def import_count(self) -> int:
        """The number of contexts that imported it."""
        return sum(memory is not self._origin for memory in self._memory)

    def bound(self, attribute: TensorAttribute) -> BoundMemory:
        """Return the memory bound with this attribute."""
        return self._memory.bound(attribute)

    def replaced(self, worker: int, context: Context) -> None:
        """Import the memory into a worker's present context."""
        with self._lock:
            if context is not self.contexts[worker]:
                return  # replaced meanwhile; this is called for the fresh one, too
            self._memory.reach(worker, context)
            if self._is_freed:
                self.free()

    def free(self) -> None:
        """Give back what was imported."""
        self._is_freed = True
        for memory in self._memory:
            if memory is not self._origin:
                memory.free()


def _in_context(origin: Memory, context: Context) -> Memory:
    return origin if context is origin.context else Memory.shared(context, origin)


# Memory that garbage collections have found and not yet given back. A collection ends the cycles of all threads on one
# thread, and no other begins before it has ended, while the other threads go on allocating. So it only queues what it
# finds; each allocation then gives back more than it takes, and the collecting thread gives back the rest.
_dropped: collections.deque[tuple[Memory, list[SessionMemory], int]] = collections.deque()
_collecting: set[int] = set()  # the threads inside a garbage collection
_FREED_FIRST = 4  # pieces of memory that an allocation gives back before it takes one


def _drop(origin: Memory, sessions: list[SessionMemory], pid: int) -> None:
    """Give back memory that nothing refers to, on the thread that dropped it, or after its garbage collection."""
    if threading.get_ident() in _collecting:
        _dropped.append((origin, sessions, pid))
    else:
        _free(origin, sessions, pid)


def _free(origin: Memory, sessions: list[SessionMemory], pid: int) -> None:
    """Give the memory back; never wait for another thread."""
    if os.getpid() != pid:
        return  # a forked child: the memory is its parent's
    for each in sessions:
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
