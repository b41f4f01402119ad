# SPDX-License-Identifier: Apache-2.0
"""One thread of a round: it does operations chosen by its own random numbers."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

from .samples import Feed
from .sessions import Handle, Sessions

if TYPE_CHECKING:
    from ez_rknn_async import IOBinding

    from .ledger import Task


class Actor:
    """The context of an operation.

    Attributes:
        sessions: the sessions.
        draw: random numbers. How many an operation draws may not depend on what other threads do.
        doing: the name of the operation under way.
        bindings: bindings that this thread keeps from one operation to the next, with their sessions.
    """

    def __init__(self, sessions: Sessions, index: int) -> None:
        self.sessions, self.ledger = sessions, sessions.ledger
        self.index = index
        self.draw = sessions.scenario.generator(f"thread {index}")
        self.doing = "nothing yet"
        self.bindings: dict[int, tuple[Handle, IOBinding]] = {}

    def handle(self) -> Handle:
        """Return a session to use."""
        return self.sessions.handle(self.draw.randrange(1000))

    def kind(self, handle: Handle) -> str:
        """Choose the kind of a sample."""
        kinds = sorted(handle.samples.by_kind)
        return kinds[int(self.draw.random() * len(kinds))]

    def task(self, handle: Handle, operation: str = "", kind: str = "") -> Task:
        """Return a task of this operation for a session."""
        kind = kind or self.kind(handle)
        return self.ledger.begin(operation or self.doing, handle.fate, handle.samples, kind)

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.draw.random() < probability

    def work(self, start: threading.Barrier) -> None:
        """Do all operations of this thread in the round."""
        from .operations import OPERATIONS

        weights = self.sessions.scenario.weights
        # First all do the same thing at the same moment, to a session that no thread has used.
        names = ["run", *self.draw.choices(list(weights), list(weights.values()), k=self.sessions.scenario.operations)]
        start.wait()
        for name in names:
            self.doing = name
            try:
                OPERATIONS[name](self)
            except BaseException:
                self.ledger.violate(f"{name} raised:\n{traceback.format_exc()}")
        self.doing = "nothing any more"
        self.bindings.clear()


def spoil(feed: Feed) -> None:
    """Overwrite arrays that a call has promised to have copied."""
    for array in feed.values():
        array.fill(77)
