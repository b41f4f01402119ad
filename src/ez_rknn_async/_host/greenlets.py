"""Programs whose threads are greenlets: gevent and eventlet after ``monkey.patch_all()``.

All greenlets share one thread of the system, so a call that blocks in native code stops every one of them, for ever if
it waits for another. Two things keep them going: what blocks is done on threads of the system, which are begun in spite
of the patch; and greenlets wait for those threads at a descriptor, as they do for a socket.

Nothing of gevent's or eventlet's is used on those threads: its locks and events are for the greenlets of one thread.
So the locks that both sides take are the system's (:func:`lock`); they are held for a few steps, in which no greenlet
waits.
"""

from __future__ import annotations

import _thread
import functools
import importlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The modules of which one is loaded where :func:`framework` may find something.
PATCHERS = ("gevent.monkey", "eventlet.patcher")

Batch = TypeVar("Batch", bound="list[Any]")


class Framework(NamedTuple):
    """The one that has patched the program.

    Attributes:
        name: its own.
        thread: ``_thread`` as it was.
        select: ``select.select`` for greenlets: the others go on meanwhile.
    """

    name: str
    thread: Any
    select: Callable[..., tuple[list[int], list[int], list[int]]]


class _Originals(NamedTuple):
    start_new_thread: Any
    allocate_lock: Any
    RLock: Any


def framework() -> Framework | None:
    """What has made the program's threads greenlets; None where they are threads, by now."""
    gevent, eventlet = map(sys.modules.get, PATCHERS)
    if gevent is not None and gevent.is_object_patched("_thread", "start_new_thread"):
        return _gevent()
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return _eventlet()
    return None


def in_main_thread() -> bool:
    """Whether the caller is on the main thread of the system, or a greenlet of it. Not affected by the patch."""
    return threading.get_native_id() == os.getpid()


class Signal:
    """Lets a thread of the system wake a greenlet."""

    def __init__(self, of: Framework) -> None:
        self._select = of.select
        self._reading, self._writing = os.pipe()

    def set(self) -> None:
        """Wake the greenlet, now or when it waits; on any thread."""
        os.write(self._writing, b"!")

    def wait(self, timeout: float | None = None) -> bool:
        """Let the others go on until it is set; False if that takes longer than ``timeout`` seconds."""
        if not self._select([self._reading], [], [], timeout)[0]:
            return False
        os.read(self._reading, 1)
        return True

    def close(self) -> None:
        """Give the descriptors back; neither side uses it any more."""
        os.close(self._reading)
        os.close(self._writing)


def relayed(of: Framework, collect: Callable[[], Batch]) -> Iterator[Batch]:
    """What ``collect`` returns, called again and again on a thread of its own, until it returns an empty list.

    The greenlet that iterates lets the others go on while it waits. One batch is collected ahead.
    """
    signal, taken, box = Signal(of), of.thread.allocate_lock(), []
    taken.acquire()

    def collect_all() -> None:
        while True:
            batch = collect()
            box.append(batch)
            signal.set()
            if not batch:
                return
            taken.acquire()

    of.thread.start_new_thread(collect_all, ())
    while True:
        signal.wait()
        batch = box.pop()
        if not batch:
            break
        taken.release()
        yield batch
    signal.close()


@functools.cache
def _gevent() -> Framework:
    monkey, select = importlib.import_module("gevent.monkey"), importlib.import_module("gevent.select")
    return Framework("gevent", _Originals(*monkey.get_original("_thread", _Originals._fields)), select.select)


@functools.cache
def _eventlet() -> Framework:
    patcher, select = importlib.import_module("eventlet.patcher"), importlib.import_module("eventlet.green.select")
    return Framework("eventlet", patcher.original("_thread"), select.select)


def _originals() -> Any:
    patched_by = framework()
    return _thread if patched_by is None else patched_by.thread


# As they are now, whatever a patch replaces later.
_allocate_lock, _allocate_rlock = _originals().allocate_lock, _originals().RLock


def lock() -> threading.Lock:
    """A lock of the system, for what greenlets and threads of the system use; no greenlet may wait while it has it."""
    made: threading.Lock = _allocate_lock()
    return made


def rlock() -> threading.RLock:
    """The same, reentrant: for threads of the system, not for greenlets, which it cannot tell apart."""
    made: threading.RLock = _allocate_rlock()
    return made
