# SPDX-License-Identifier: Apache-2.0
"""Programs whose threads are greenlets: gevent and eventlet after ``monkey.patch_all()``.

All greenlets share one system thread, so a call that blocks in native code stops every one of them, for ever if it
waits for another. Two things keep them going: blocking calls are made on system threads, which are started in spite of
the patch; and greenlets wait for those threads at a descriptor, as they do for a socket.

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

PATCHERS = _GEVENT, _EVENTLET = "gevent.monkey", "eventlet.patcher"

Batch = TypeVar("Batch", bound="list[Any]")


class Framework(NamedTuple):
    """The framework that has patched the program.

    Attributes:
        name: its name.
        thread: the original ``_thread``.
        select: ``select.select`` for greenlets: the others run meanwhile.
    """

    name: str
    thread: Any
    select: Callable[..., tuple[list[int], list[int], list[int]]]


class _Originals(NamedTuple):
    start_new_thread: Any
    allocate_lock: Any
    RLock: Any


def may_be() -> bool:
    """Check, quickly, if :func:`framework` can find one: one of their modules is loaded."""
    modules = sys.modules
    return _GEVENT in modules or _EVENTLET in modules


def framework() -> Framework | None:
    """Return the framework that has made the program's threads greenlets; None if, so far, they are threads."""
    if not may_be():
        return None
    gevent, eventlet = map(sys.modules.get, PATCHERS)
    if gevent is not None and gevent.is_object_patched("_thread", "start_new_thread"):
        return _gevent()
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return _eventlet()
    return None


def in_main_thread() -> bool:
    """Check if the caller is on the main system thread, or a greenlet of it. Not affected by the patch."""
    return threading.get_native_id() == os.getpid()


class Signal:
    """Lets a system thread wake a greenlet."""

    def __init__(self, of: Framework) -> None:
        self._select = of.select
        self._reading, self._writing = os.pipe()

    def set(self) -> None:
        """Wake the greenlet, now or when it waits; callable on any thread."""
        os.write(self._writing, b"!")

    def wait(self, timeout: float | None = None) -> bool:
        """Let other greenlets run until it is set; return False if that takes longer than ``timeout`` seconds."""
        if not self._select([self._reading], [], [], timeout)[0]:
            return False
        os.read(self._reading, 1)
        return True

    def close(self) -> None:
        """Close the descriptors; neither side may use it any more."""
        os.close(self._reading)
        os.close(self._writing)


def relayed(of: Framework, collect: Callable[[], Batch]) -> Iterator[Batch]:
    """Call ``collect`` on a thread of its own and yield what it returns, until it returns an empty list.

    The greenlet that iterates lets others run while it waits. One batch is collected ahead.
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
    """Make a system lock, for what greenlets and system threads share; no greenlet may wait while it holds it."""
    made: threading.Lock = _allocate_lock()
    return made


def rlock() -> threading.RLock:
    """Make a reentrant system lock: for system threads, not for greenlets, which it cannot tell apart."""
    made: threading.RLock = _allocate_rlock()
    return made
