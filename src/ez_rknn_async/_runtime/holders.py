# SPDX-License-Identifier: Apache-2.0
"""Reference counts that never wait for a lock.

Sessions and values are often let go of by a garbage collection, which may come at any moment, on any thread, even in
the middle of a critical section. A lock taken there could be held by the very code that was interrupted. So the count
is a list whose ``append`` and ``pop`` are atomic, with one token for each holder on top of a first one that marks the
bottom. As tokens are anonymous and taken from the top, the first one goes last, and exactly one thread sees it go.
"""

from __future__ import annotations

_FIRST, _MORE = object(), object()


class Holders:
    """The holders of one resource: one at first, which others may join until the last has let go."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens = [_FIRST]

    def add(self) -> bool:
        """Count one more; return False, and count nothing, if the last one has let go."""
        tokens = self._tokens
        tokens.append(_MORE)
        # With this token on top of it, the first one cannot go meanwhile.
        if tokens[0] is _FIRST:
            return True
        tokens.pop()
        return False

    def remove(self) -> bool:
        """Count one less; return True for the last one, which has to free the resource."""
        return self._tokens.pop() is _FIRST
