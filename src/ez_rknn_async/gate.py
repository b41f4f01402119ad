"""The way into an executor: who is inside, and that nobody comes in any more."""

from __future__ import annotations

import threading

from .errors import RknnClosedError
from .failures import without_workers
from .runtime.engine import DEVICE_UNAVAILABLE


class Gate:
    """Counts the calls under way, so that closing waits for them and refuses new ones.

    While it is open, an engine that is closed has done that itself: its last worker is lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the two below
        self._left = threading.Condition(self._lock)
        self._inside = 0
        self._open = True

    def __enter__(self) -> None:
        with self._lock:
            if not self._open:
                raise RknnClosedError("the session is closed")
            self._inside += 1

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._open and self._inside == 0:
                self._left.notify_all()
            is_open = self._open
        if is_open and isinstance(error, RknnClosedError):
            raise without_workers("of the session", DEVICE_UNAVAILABLE) from None

    def close(self) -> bool:
        """Refuse everyone from now on; False when that was so already."""
        with self._lock:
            was_open, self._open = self._open, False
            return was_open

    def wait_until_empty(self) -> None:
        """Wait for everyone who is inside."""
        with self._lock:
            self._left.wait_for(lambda: self._inside == 0)
