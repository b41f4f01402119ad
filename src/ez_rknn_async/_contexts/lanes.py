# SPDX-License-Identifier: Apache-2.0
"""Lanes: separate contexts for each way of giving a context its tensors.

A context does not survive a change of way. Once given uint8 pixels, librknnrt 1.5.2 normalises all later inputs, by
``rknn_inputs_set`` or by binding, and after ``rknn_inputs_set`` it goes on converting what was bound before; all its
calls succeed. So each way has contexts of its own, a *lane*: one more for every worker, which still runs one task at a
time. Most programs only ever use one way, whose lane has the contexts that the session was opened with.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Callable

from .._host import greenlets
from .._runtime.timeouts import within
from ..errors import RknnClosedError

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from .._runtime.context import Context
    from .._runtime.engine import Engine
    from .pool import Contexts, Loan


class Lanes:
    """The lanes of a session, one for each way, opened when it is first used."""

    def __init__(
        self, first: Contexts, open_contexts: Callable[[Contexts], Contexts], load_timeout_ms: int = 0
    ) -> None:
        """Begin with one lane.

        Args:
            first: the contexts of lane 0.
            open_contexts: opens those of another lane, from the first.
            load_timeout_ms: the time limit for that; 0: none.
        """
        self._open = open_contexts
        self._load_timeout_ms = load_timeout_ms
        self._opening = threading.Lock()  # one lane at a time; opening one may hang
        self._lock = greenlets.lock()  # guards what follows
        self._contexts = [first]
        self._numbers: dict[Hashable, int] = {}
        self._engine: Engine | None = None
        self._check: Callable[[], None] = lambda: None

    def __getitem__(self, lane: int) -> Contexts:
        return self._contexts[lane]

    def attach(self, engine: Engine, check: Callable[[], None]) -> None:
        """Set the engine that runs tasks on the lanes, and the check that refuses them in a fork; call it first."""
        self._engine, self._check = engine, check

    def detach(self) -> None:
        """Open no more lanes: the engine is about to be destroyed."""
        with self._lock:
            self._engine = None

    def number(self, way: Hashable) -> int:
        """Return the lane for tasks whose tensors go this way, opened if there is none yet.

        Args:
            way: how each input and output is bound: as ``"pixels"`` (converted by the NPU), ``"native"`` (as it is) or
                ``"converted"`` (by the runtime, in every run); or, for copied inputs, which of them are pixels.

        Raises:
            RknnClosedError: the session is closed.
            RknnTimeoutError: the runtime did not open its contexts in time.
            RknnError: the runtime has no more contexts.
        """
        lane = self._numbers.get(way)
        if lane is not None:
            return lane
        with self._opening:
            if way not in self._numbers:
                self._numbers[way] = self._add() if self._numbers else 0
            return self._numbers[way]

    def replace(self, worker: int, tag: int, lane: int, prepare: Callable[[Context], None]) -> Context:
        """See :meth:`.Contexts.replace`."""
        return self._contexts[lane].replace(worker, tag, prepare)

    def release(self, tag: int, lane: int) -> None:
        """See :meth:`.Contexts.release`."""
        self._contexts[lane].release(tag)

    def close(self, lost: Collection[int] = ()) -> None:
        """See :meth:`.Contexts.close`."""
        # The later lanes first: their weights, and those that other sessions borrow, are lane 0's.
        with self._lock:
            lanes = self._contexts[::-1]
        for contexts in lanes:
            contexts.close(lost)

    def _add(self) -> int:
        self._check()
        if self._engine is None:
            raise RknnClosedError("the session is closed")
        contexts, loan = within(self._load_timeout_ms, "opening contexts", self._open_from_first, _give_back)
        try:
            with self._lock:
                if self._engine is None:  # by now
                    raise RknnClosedError("the session is closed")
                lane = self._engine.add_lane([context.handle for context in contexts])
                self._contexts.append(contexts)
        except BaseException:
            _give_back((contexts, loan))
            raise
        loan.end()
        return lane

    def _open_from_first(self) -> tuple[Contexts, Loan]:
        """Open the contexts of one more lane; until they are added, the loan keeps those of the first."""
        first = self._contexts[0]
        loan = first.lend()
        try:
            return self._open(first), loan
        except BaseException:
            loan.end()
            raise


def _give_back(opened: tuple[Contexts, Loan]) -> None:
    contexts, loan = opened
    contexts.close()
    loan.end()
