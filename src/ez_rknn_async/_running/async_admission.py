# SPDX-License-Identifier: Apache-2.0
"""The line of coroutines that wait for a place in the queue, without a thread and without polling.

A coroutine must not block its event loop, so it submits without waiting. If the queue is full it lines up here, and the
engine is asked to report when there is room. The report arrives on the delivery thread, which wakes the first in line.
Coroutines of several loops in several threads may share one line.
"""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Callable

from .._host import greenlets
from .._messages.wording import option
from ..errors import RknnClosedError, RknnTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Admission:
    """The line in front of one engine."""

    def __init__(self, notify_room: Callable[[], None]) -> None:
        """Start with an empty line.

        ``notify_room`` requests one call of :meth:`room` as soon as a submission may succeed, and raises
        :class:`RknnClosedError` if the session is closed.
        """
        self._notify_room = notify_room
        # Guards _line. Reentrant: a garbage collection inside may drop a coroutine, which then leaves the line.
        self._lock = greenlets.rlock()
        self._line: collections.deque[_Place | _Waiter] = collections.deque()

    def has_line(self) -> bool:
        """Check if anyone is in line."""
        return bool(self._line)

    async def submit(self, try_submit: Callable[[], int], timeout: float) -> int:
        """Call ``try_submit`` until there is room, and return its result.

        Raises:
            RknnTimeoutError: there was no room for ``timeout`` seconds.
            RknnClosedError: the session is closed.
        """
        if not self._line:
            try:
                return try_submit()
            except RknnTimeoutError:
                pass
        place = _Place()
        with self._lock:
            # Before the first await, so that the next caller sees the line and does not overtake.
            self._line.append(place)
        try:
            return await self._in_line(place, try_submit, timeout)
        finally:
            self._leave(place)

    def submit_waiting(self, try_submit: Callable[[], int], timeout: float) -> int:
        """Submit from a greenlet; other greenlets run while it waits, and deliver the results that make room."""
        if not self._line:
            try:
                return try_submit()
            except RknnTimeoutError:
                pass
        waiter = _Waiter(timeout)
        with self._lock:
            self._line.append(waiter)
        try:
            while True:
                self._notify_room()
                if not waiter.wait():
                    raise _too_late(timeout)
                try:
                    return try_submit()
                except RknnTimeoutError:
                    continue
        finally:
            self._leave(waiter)

    def room(self) -> None:
        """Wake the first in line, as there may be room. Called on the delivery thread.

        One whose event loop does not run now must not hold up those of other loops: the next is woken, too.
        """
        with self._lock:
            line = tuple(self._line)
        for place in line:
            place.wake()
            if place.is_running():
                return
            if place.is_gone():
                with self._lock, contextlib.suppress(ValueError):
                    self._line.remove(place)

    def close(self) -> None:
        """Wake everyone in line, as the session is closed."""
        with self._lock:
            line = tuple(self._line)
        for place in line:
            place.wake()

    async def _in_line(self, place: _Place, try_submit: Callable[[], int], timeout: float) -> int:
        # Not asyncio.wait_for(): before Python 3.12 it runs this as a separate task, and a caller that is cancelled
        # just after that task submitted never learns of it. Here nothing is awaited between submitting and returning.
        with place.limited_to(timeout):
            while True:
                self._notify_room()
                await place.wait()
                if place.is_late:
                    break  # without another try, which could overtake those ahead of it
                try:
                    return try_submit()
                except RknnTimeoutError:
                    continue  # another submission was faster; this one is still first in line
        raise _too_late(timeout)

    def _leave(self, place: _Place | _Waiter) -> None:
        with self._lock:
            if place in self._line:
                self._line.remove(place)
            waiting = bool(self._line)
        if waiting:
            # The one that leaves may have been woken for the room that there is.
            with contextlib.suppress(RknnClosedError):
                self._notify_room()


def _too_late(timeout: float) -> RknnTimeoutError:
    return RknnTimeoutError(
        f"run submit timed out: no worker was free within {timeout * 1000:.0f} ms",
        hint=f"raise {option('submit_timeout_ms')} or {option('max_queue_size')}, or submit less",
    )


class _Waiter:
    """One greenlet's place in the line."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._event = threading.Event()

    def wake(self) -> None:
        self._event.set()

    def is_running(self) -> bool:
        return True

    def is_gone(self) -> bool:
        return False

    def wait(self) -> bool:
        """Wait to be woken; return False once the timeout has passed."""
        is_woken = self._event.wait(max(0.0, self._deadline - time.monotonic()))
        self._event.clear()
        return is_woken


class _Place:
    """One coroutine's place in the line.

    Attributes:
        is_late: True once the timeout has passed.
    """

    def __init__(self) -> None:
        import asyncio  # see awaitable.py

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._is_woken = False
        self.is_late = False

    @contextlib.contextmanager
    def limited_to(self, timeout: float) -> Iterator[None]:
        """Wake after ``timeout`` seconds at the latest, with :attr:`is_late` set."""
        timer = self._loop.call_later(timeout, self._expire)
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self.is_late = True
        self._event.set()

    def wake(self) -> None:
        if self._is_woken:  # a loop that does not run would gather a call for each room there was
            return
        self._is_woken = True
        # A loop that was closed while this coroutine waited refuses the call.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    def is_running(self) -> bool:
        """Check if the coroutine's event loop runs."""
        return self._loop.is_running()

    def is_gone(self) -> bool:
        """Check if the coroutine will never run again."""
        return self._loop.is_closed()

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()
        self._is_woken = False
