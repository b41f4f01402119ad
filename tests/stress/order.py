"""Whether callbacks come in the order of submission.

Which of two calls on two threads was first cannot be told while they overlap. So each call is an interval on one
clock, and a callback is late if that of a call that began after its own had returned has come before it. Calls that
``reset()`` comes between are not compared: each executor has a thread of its own for callbacks, and only those that
come on the same thread are.
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
        """A call that begins now."""
        return Submission(self, next(self._clock))

    def now(self) -> int:
        """A moment later than all before."""
        return next(self._clock)

    def came(self, submission: Submission) -> bool:
        """Whether the callback of a call comes in order; called in it."""
        thread = threading.current_thread()
        with self._lock:
            latest = self._latest.get(thread, 0)
            self._latest[thread] = max(latest, submission.began)
        returned = submission.returned
        return returned is None or returned > latest


class Submission:
    """One call: when it began, and when it had returned."""

    def __init__(self, order: Order, began: int) -> None:
        self.order = order
        self.began = began
        self.returned: int | None = None

    def has_returned(self) -> None:
        """The call is over."""
        self.returned = self.order.now()
