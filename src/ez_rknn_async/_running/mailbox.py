# SPDX-License-Identifier: Apache-2.0
"""Results on their way from delivery threads to an event loop.

Waking a loop from another thread costs a system call, more than the delivery of a result. So results go into a box, and
the loop is woken for the first one only: it takes all that are there by then.
"""

from __future__ import annotations

import collections
import weakref
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    import asyncio

    Settle = Callable[[Any], None]

# Loops come and go; a program uses a few at a time.
_MOST = 64


class Mailbox:
    """The box of one loop. Any thread may put into it, without a lock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: collections.deque[tuple[Settle, Any]] = collections.deque()
        self._asleep: list[None] = [None]  # taken out by the thread that wakes the loop

    def is_of(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Check if it is the box of that very loop."""
        return self._loop() is loop

    def put(self, settle: Settle, result: Any) -> None:
        """Have the loop call ``settle(result)``. A loop that was closed meanwhile does not, and no one waits."""
        self._waiting.append((settle, result))
        try:
            self._asleep.pop()
        except IndexError:
            return  # it is being woken, and takes this one too
        loop = self._loop()
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._empty)
                return
        except RuntimeError:
            pass
        self._waiting.clear()
        self._asleep.append(None)

    def _empty(self) -> None:
        # First, so that whatever comes after the last look wakes the loop again.
        self._asleep.append(None)
        waiting = self._waiting
        while waiting:
            settle, result = waiting.popleft()
            settle(result)


_mailboxes: dict[int, Mailbox] = {}


def mailbox_of(loop: asyncio.AbstractEventLoop) -> Mailbox:
    """Return the box of a loop."""
    mailbox = _mailboxes.get(id(loop))
    if mailbox is None or not mailbox.is_of(loop):
        if len(_mailboxes) >= _MOST:
            _mailboxes.clear()
        mailbox = _mailboxes[id(loop)] = Mailbox(loop)
    return mailbox
