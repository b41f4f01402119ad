# SPDX-License-Identifier: Apache-2.0
"""The order of callbacks: that of submission.

The order of two calls on two threads is unknown while they overlap. So each call is an interval on one clock, and a
callback is late if that of a call that began after its own had returned has come before it. Calls on two sides of a
``reset()`` are not compared: each executor has a separate thread for callbacks, and only those on the same thread are.
"""

from __future__ import annotations

import itertools
import threading
import weakref


class Order:
    """The callbacks of one session."""

    def __init__(self) -> None:
        self._clock = itertools.count(1)
        self._lock = threading.Lock()  # guards _latest
        self._latest: weakref.WeakKeyDictionary[threading.Thread, int] = weakref.WeakKeyDictionary()

    def submission(self) -> Submission:
        """Begin a call now."""
        return Submission(self, next(self._clock))

    def now(self) -> int:
        """Return a moment later than all before."""
        return next(self._clock)

    def came(self, submission: Submission) -> bool:
        """Return True if the callback of a call comes in order; called in the callback."""
        thread = threading.current_thread()
        with self._lock:
            latest = self._latest.get(thread, 0)
            self._latest[thread] = max(latest, submission.began)
        returned = submission.returned
        return returned is None or returned > latest


class Submission:
    """One call: its beginning and its return."""

    def __init__(self, order: Order, began: int) -> None:
        self.order = order
        self.began = began
        self.returned: int | None = None

    def has_returned(self) -> None:
        """Note that the call has returned."""
        self.returned = self.order.now()
