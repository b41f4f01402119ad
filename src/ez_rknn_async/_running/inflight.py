"""The calls under way inside an executor, and the requests that a call of the runtime may still be using.

A coroutine or a stream that a garbage collection drops comes in to cancel what it had under way, perhaps in the middle
of these very lines. So nothing here takes a lock: every step is an atomic operation on a dictionary or a list.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from .._runtime.engine import DEVICE_UNAVAILABLE
from ..errors import RknnClosedError
from .task_errors import without_workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._runtime.task import Result
    from .._transport.request import Request


class InFlight:
    """Counts calls, so that closing waits for those under way and refuses new ones; keeps requests until they ended.

    While it is open, an engine that is closed has done that itself: its last worker is lost.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._calls: dict[int, None] = {}
        self._requests: dict[int, Request] = {}
        self._opening = [None]  # taken out by the one who closes it
        self._empty = threading.Event()

    @property
    def is_open(self) -> bool:
        """Whether calls are let in."""
        return bool(self._opening)

    def number(self) -> int:
        """A number for a call or a task, never used for another."""
        return next(self._numbers)

    def keep(self, number: int, request: Request) -> None:
        """Keep the request of a task until the call of the runtime that is using it has come back."""
        self._requests[number] = request

    def release(self, number: int, result: Result) -> None:
        """That call has come back; nothing happens if the task's own run has ended before."""
        request = self._requests.pop(number, None)
        if request is not None:
            request.ended(result)

    def close(self) -> bool:
        """Refuse every call from now on; False when that was so already."""
        try:
            self._opening.pop()
        except IndexError:
            return False
        if not self._calls:
            self._empty.set()
        return True

    def wait_until_empty(self) -> None:
        """Wait for the calls under way; it must have been closed."""
        self._empty.wait()

    def _enter(self, number: int) -> None:
        # In this order: a call that finds it open is counted by then, and waited for.
        self._calls[number] = None
        if not self._opening:
            self._leave(number)
            raise RknnClosedError("the session is closed")

    def _leave(self, number: int) -> None:
        del self._calls[number]
        if not self._opening and not self._calls:
            self._empty.set()


class Call:
    """One call under way, for the length of a ``with`` block.

    Raises:
        RknnClosedError: the session is closed.
        RknnDeviceError: the engine has closed itself, because its last worker is lost.
    """

    __slots__ = ("_in_flight", "_number")

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._number = in_flight.number()

    def __enter__(self) -> None:
        self._in_flight._enter(self._number)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        in_flight = self._in_flight
        in_flight._leave(self._number)
        if isinstance(error, RknnClosedError) and in_flight.is_open:
            raise without_workers("of the session", DEVICE_UNAVAILABLE) from None


class Run:
    """One ``run()`` under way: a :class:`Call` that keeps its request, beyond the ``with`` block if it is told to.

    Attributes:
        number: the tag of its task.
        result: of the run, as soon as there is one.
    """

    __slots__ = ("_in_flight", "_is_kept", "_listen", "_request", "number", "result")

    def __init__(self, in_flight: InFlight, request: Request, listen: Callable[[], None]) -> None:
        """``listen`` has the engine's events collected, one of which releases a request that is kept."""
        self.number = next(in_flight._numbers)
        self.result: Result | None = None
        self._in_flight = in_flight
        self._request = request
        self._listen = listen
        self._is_kept = False

    def __enter__(self) -> Run:
        # Kept before the run begins: the event that releases it may come early.
        self._in_flight._requests[self.number] = self._request
        try:
            self._in_flight._enter(self.number)
        except RknnClosedError:
            self._end()
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        in_flight = self._in_flight
        try:
            if self._is_kept:
                self._listen()
            else:
                self._end()
        finally:
            in_flight._leave(self.number)
        if error is not None and isinstance(error, RknnClosedError) and in_flight.is_open:
            raise without_workers("of the session", DEVICE_UNAVAILABLE) from None

    def keep(self, is_kept: bool) -> None:
        """Keep the request until the engine says that the call of the runtime which is using it has come back."""
        self._is_kept = is_kept

    def _end(self) -> None:
        self._in_flight._requests.pop(self.number, None)  # it may have been released
        self._request.ended(self.result)
