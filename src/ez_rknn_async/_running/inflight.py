# SPDX-License-Identifier: Apache-2.0
"""The calls under way inside an executor, and the requests that a runtime call may still use.

A garbage collection may drop a coroutine or a stream, which then cancels what it had under way, perhaps in the middle
of this very code. So nothing here takes a lock: every step is an atomic operation on a dictionary or a list.
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
    """The calls and requests of one executor: closing it waits for those under way and refuses new ones.

    If the engine is closed while this is open, the engine has closed itself: its last worker is lost.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._calls: dict[int, None] = {}
        self._requests: dict[int, Request] = {}
        self._opening = [None]  # taken out by the call that closes it
        self._empty = threading.Event()

    def keep(self, number: int, request: Request) -> None:
        """Keep the request of a task until the runtime call that uses it has returned."""
        self._requests[number] = request

    def release(self, number: int, result: Result) -> None:
        """End a request whose runtime call has returned, unless the task's own run has ended it."""
        request = self._requests.pop(number, None)
        if request is not None:
            request.ended(result)

    def close(self) -> bool:
        """Refuse every call from now on; return False if it was closed already."""
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

    def _note_empty(self) -> None:
        if not self._calls:
            self._empty.set()

    def _leave(self, number: int, error: BaseException | None = None) -> None:
        """Count a call no more; explain its error if the engine has closed itself."""
        del self._calls[number]
        if not self._opening:
            self._note_empty()
        if self._opening and isinstance(error, RknnClosedError):
            raise without_workers("of the session", DEVICE_UNAVAILABLE) from None


class Call:
    """One call under way, for the length of a ``with`` block, which gets its number.

    Raises:
        RknnClosedError: the session is closed.
        RknnDeviceError: the engine has closed itself, because its last worker is lost.
    """

    __slots__ = ("_in_flight", "_number")

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._number = next(in_flight._numbers)

    # As few calls as possible, here and in Run: every inference passes through here.

    def __enter__(self) -> int:
        in_flight, number = self._in_flight, self._number
        # In this order: a call that finds it open is counted by then, and waited for.
        in_flight._calls[number] = None
        if not in_flight._opening:
            in_flight._leave(number)
            raise RknnClosedError("the session is closed")
        return number

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        in_flight = self._in_flight
        if error is None:
            del in_flight._calls[self._number]
            if not in_flight._opening:
                in_flight._note_empty()
        else:
            in_flight._leave(self._number, error)


class Run:
    """One ``run()`` under way: a :class:`Call` that keeps its request, beyond the ``with`` block if it is told to.

    Attributes:
        number: the tag of its task.
        result: the run's result, once there is one.
    """

    __slots__ = ("_in_flight", "_is_kept", "_listen", "_request", "number", "result")

    def __init__(self, in_flight: InFlight, request: Request, listen: Callable[[], None]) -> None:
        """Prepare a run. ``listen`` starts the delivery of events, one of which releases a request that is kept."""
        self.number = next(in_flight._numbers)
        self.result: Result | None = None
        self._in_flight = in_flight
        self._request = request
        self._listen = listen
        self._is_kept = False

    def __enter__(self) -> Run:
        in_flight, number = self._in_flight, self.number
        # Kept before the run begins: the event that releases it may come early.
        in_flight._requests[number] = self._request
        in_flight._calls[number] = None  # see Call
        if not in_flight._opening:
            self._end()
            in_flight._leave(number)
            raise RknnClosedError("the session is closed")
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        in_flight = self._in_flight
        try:
            if self._is_kept:
                self._listen()
            else:
                in_flight._requests.pop(self.number, None)  # it may have been released
                self._request.ended(self.result)
        finally:
            if error is None:
                del in_flight._calls[self.number]
                if not in_flight._opening:
                    in_flight._note_empty()
            else:
                in_flight._leave(self.number, error)

    def keep(self, is_kept: bool) -> None:
        """Keep the request until the engine reports that the runtime call which uses it has returned."""
        self._is_kept = is_kept

    def _end(self) -> None:
        self._in_flight._requests.pop(self.number, None)  # it may have been released
        self._request.ended(self.result)
