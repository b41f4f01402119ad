# SPDX-License-Identifier: Apache-2.0
"""The history of a session, and so the errors that its tasks may end with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from ez_rknn_async import (
    RknnClosedError,
    RknnDeviceError,
    RknnError,
    RknnInUseError,
    RknnModelError,
    RknnTimeoutError,
    RknnTypeError,
    RknnValueError,
)


@dataclass
class Fate:
    """The reasons for errors. A later one is set before its cause begins.

    Attributes:
        fails: calls into the runtime fail, by injected faults.
        is_limited: waiting for a place or for a run may take too long.
        goes_by_copy: tensors travel by copy at times, when there is nothing to bind.
        is_ending: a thread closes the session.
        is_discarding: a thread closes it with ``cancel=True``.
    """

    fails: bool = False
    is_limited: bool = False
    goes_by_copy: bool = False
    is_ending: bool = False
    is_discarding: bool = False
    _closing: threading.Lock = field(default_factory=threading.Lock)

    def begin_end(self, *, discard: bool = False) -> bool:
        """Say that the session is about to be closed; False if another thread has said so before."""
        with self._closing:
            first = not self.is_ending
            self.is_discarding = self.is_discarding or discard
            self.is_ending = True
        return first

    def excuses(self, error: BaseException) -> bool:
        """True if there is a reason for this error."""
        if isinstance(error, RknnClosedError):
            return self.is_ending
        if isinstance(error, RknnTimeoutError):
            return self.is_limited or self.fails
        if isinstance(error, (RknnDeviceError, RknnModelError)):
            return self.fails
        if isinstance(error, (RknnInUseError, RknnValueError, RknnTypeError)):
            return False
        # Not of a class of their own: a runtime's code, or a session whose tensors cannot be bound.
        return isinstance(error, RknnError) and (self.fails or self.goes_by_copy)
