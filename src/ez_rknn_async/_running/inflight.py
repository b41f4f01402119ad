"""The way into an executor: who is inside, and that no one comes in any more.

A coroutine or a stream that a garbage collection drops comes in to cancel what it had under way, perhaps in the middle
of these very lines. So nothing here takes a lock.
"""

from __future__ import annotations

import threading

from .._runtime.engine import DEVICE_UNAVAILABLE
from .._runtime.holders import Holders
from ..errors import RknnClosedError
from .task_errors import without_workers


class Gate:
    """Counts the calls under way, so that closing waits for them and refuses new ones.

    While it is open, an engine that is closed has done that itself: its last worker is lost.
    """

    def __init__(self) -> None:
        self._inside = Holders()  # the calls under way, and the openness of the gate
        self._closing = [None]  # taken out by the one who closes it
        self._empty = threading.Event()

    def __enter__(self) -> None:
        # In this order: a call that finds the gate open is counted by then, and waited for.
        is_counted = self._inside.add()
        if not self._closing:
            if is_counted:
                self._leave()
            raise RknnClosedError("the session is closed")

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._leave()
        if self._closing and isinstance(error, RknnClosedError):
            raise without_workers("of the session", DEVICE_UNAVAILABLE) from None

    def close(self) -> bool:
        """Refuse everyone from now on; False when that was so already."""
        try:
            self._closing.pop()
        except IndexError:
            return False
        self._leave()
        return True

    def wait_until_empty(self) -> None:
        """Wait for everyone who is inside."""
        self._empty.wait()

    def _leave(self) -> None:
        if self._inside.remove():
            self._empty.set()
