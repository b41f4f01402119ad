# SPDX-License-Identifier: Apache-2.0
"""A standard future that creates its lock only if it is needed before the future has ended.

``concurrent.futures.Future`` makes a condition with a lock for each future, and takes it whenever it is looked at: more
work than the rest of a submission. Most futures of a busy program have ended before anyone looks.

What the base class guards with its condition is here made with the condition, at the first need of it. An end before
that leaves :data:`_ENDED` in its place, in one step: whichever comes first, end or need, the other one finds it.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    _Future = Future[list[Any]]
else:
    _Future = Future

# The states as the base class has them.
_FINISHED = "FINISHED"
_DONE = (_FINISHED, "CANCELLED", "CANCELLED_AND_NOTIFIED")


class _Guarded(NamedTuple):
    """The condition, and what it guards besides the state."""

    condition: threading.Condition
    waiters: list[Any]
    done_callbacks: list[Callable[[Any], object]]


_ENDED = _Guarded(threading.Condition(), [], [])
_replacing = threading.Lock()  # guards the replacement of _ENDED in any future


class LazyFuture(_Future):
    """A future of a list, to be settled by one thread, once, unless it was cancelled."""

    _state = "PENDING"
    _result: Any = None
    _exception: BaseException | None = None

    def __init__(self) -> None:
        # Not the base's, which makes the condition. The attributes that it sets are the three above and the three
        # properties below.
        pass

    @property
    def _guarded(self) -> _Guarded:
        guarded: _Guarded | None = vars(self).get("_made")
        if guarded is None:
            made = _Guarded(threading.Condition(), [], [])
            guarded = vars(self).setdefault("_made", made)
        if guarded is not _ENDED:
            return guarded
        with _replacing:
            if vars(self)["_made"] is _ENDED:
                self._state = _FINISHED  # settle() may not have come so far
                vars(self)["_made"] = _Guarded(threading.Condition(), [], [])
        replaced: _Guarded = vars(self)["_made"]
        return replaced

    if not TYPE_CHECKING:  # attributes, to a type checker, as in the base class

        @property
        def _condition(self):
            return self._guarded.condition

        @property
        def _waiters(self):
            return self._guarded.waiters

        @property
        def _done_callbacks(self):
            return self._guarded.done_callbacks

    def settle(self, result: list[Any]) -> None:
        """Set the result of a future that is under way."""
        self._result = result
        if vars(self).setdefault("_made", _ENDED) is _ENDED:
            self._state = _FINISHED
        else:
            self.set_running_or_notify_cancel()
            self.set_result(result)

    def done(self) -> bool:
        """Return True if it has ended, or was cancelled."""
        return self._state in _DONE  # one look, for which no lock is needed

    def result(self, timeout: float | None = None) -> list[Any]:
        """Return the result, once there is one; see the standard library."""
        if self._state == _FINISHED and self._exception is None:
            result: list[Any] = self._result
            return result
        return super().result(timeout)
