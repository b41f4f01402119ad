# SPDX-License-Identifier: Apache-2.0
"""Marks of the tensors whose memory is in use.

An NPU core reads and writes memory while the program goes on. Touching that memory meanwhile would be a race: sometimes
right, sometimes not. So every user of a tensor marks it first, and is refused while a conflicting use is under way: any
number of inferences may read one tensor at once, or any number of threads, but not both, and a writer is alone.
"""

from __future__ import annotations

import enum
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._host import greenlets
from ..errors import RknnInUseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Use(enum.Enum):
    """A use of a tensor; the value is its description."""

    FEEDS = "is an input of an inference under way"
    RECEIVES = "receives an output of an inference under way"
    READ = "is being read"
    WRITTEN = "is being written"

    @property
    def shared(self) -> bool:
        """True if several users may do it at once."""
        return self in (Use.FEEDS, Use.READ)


# Guards all marks. One for all: a run marks several tensors, and either all or none of them. Reentrant: a garbage
# collection inside may drop a coroutine, whose claim then ends.
_lock = greenlets.rlock()


class Mark:
    """The present use of one tensor."""

    def __init__(self, name: str) -> None:
        """Start unused; ``name`` is for the message of an error."""
        self.name = name
        self._use: Use | None = None
        self._count = 0

    @property
    def in_flight(self) -> bool:
        """True if an inference under way uses the tensor."""
        return self._use in (Use.FEEDS, Use.RECEIVES)

    @contextmanager
    def held(self, use: Use) -> Iterator[None]:
        """Use the tensor in the ``with`` block.

        Raises:
            RknnInUseError: a conflicting use is under way.
        """
        claim = Claim([(self, use)])
        try:
            yield
        finally:
            claim.end()

    def check(self, use: Use) -> None:
        """Refuse a use that conflicts with the present one; the lock is held."""
        if self._use is not None and not (self._use is use and use.shared):
            raise RknnInUseError(
                f"{self.name} {self._use.value}",
                hint="wait for the future, the callback or the call that has it, or use another value meanwhile",
            )

    def begin(self, use: Use) -> None:
        """Count one more user; the lock is held."""
        self._use = use
        self._count += 1

    def end(self) -> None:
        """Count one user less; the lock is held."""
        self._count -= 1
        if self._count == 0:
            self._use = None


class Claim:
    """The use of several tensors at once, until :meth:`end`."""

    def __init__(self, uses: Iterable[tuple[Mark, Use]]) -> None:
        """Mark all of them, or none.

        Raises:
            RknnInUseError: one is in use already.
        """
        self._marks: Sequence[Mark] = []
        with _lock:
            begun: list[Mark] = []
            try:
                for mark, use in uses:
                    mark.check(use)
                    mark.begin(use)
                    begun.append(mark)
            except BaseException:
                for mark in begun:
                    mark.end()
                raise
            self._marks = begun

    def end(self) -> None:
        """Free the tensors. May be called twice."""
        with _lock:
            marks, self._marks = self._marks, []
            for mark in marks:
                mark.end()
