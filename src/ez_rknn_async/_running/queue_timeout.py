# SPDX-License-Identifier: Apache-2.0
"""The ``timeout`` of ``submit()``: the longest wait for a place in the queue."""

from __future__ import annotations

import contextlib
import math
import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._messages.wording import option, shown
from ..errors import RknnTimeoutError, RknnTypeError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_LONGEST_MS = 2**31 - 1  # the engine's limit: 24 days


@dataclass(frozen=True)
class QueueTimeout:
    """The longest wait of one submission.

    Attributes:
        seconds: as the user gave it; None: as the session's options say.
    """

    seconds: float | None

    @classmethod
    def of(cls, timeout: Any) -> QueueTimeout:
        """Check the user's argument.

        Raises:
            RknnValueError, RknnTypeError: it is not a number of seconds.
        """
        if timeout is None:
            return _AS_THE_SESSION
        if isinstance(timeout, bool) or not isinstance(timeout, numbers.Real):
            raise RknnTypeError(f"timeout takes seconds, 0 for not waiting, or None, not {shown(timeout)}")
        seconds = float(timeout)
        if not seconds >= 0:  # also NaN
            raise RknnValueError(f"timeout={timeout!r} must be at least 0 seconds; 0 does not wait for the queue")
        return cls(seconds)

    @property
    def milliseconds(self) -> int | None:
        """The timeout for the engine; None: as the session's options say."""
        if self.seconds is None:
            return None
        return _LONGEST_MS if self.seconds * 1000 > _LONGEST_MS else math.ceil(self.seconds * 1000)

    def explained(self) -> AbstractContextManager[None]:
        """Reword a timeout inside the ``with`` block in terms of the user's argument, if there is one."""
        return _AS_IT_IS if self.seconds is None else self._reworded()

    @contextlib.contextmanager
    def _reworded(self) -> Iterator[None]:
        try:
            yield
        except RknnTimeoutError:
            raise RknnTimeoutError(
                "run submit timed out: the queue is full, and timeout=0 does not wait"
                if self.seconds == 0
                else f"run submit timed out: the queue stayed full for timeout={self.seconds:g} seconds",
                hint=f"wait longer, raise {option('max_queue_size')}, or submit less",
            ) from None


_AS_THE_SESSION = QueueTimeout(None)
_AS_IT_IS = contextlib.nullcontext()
