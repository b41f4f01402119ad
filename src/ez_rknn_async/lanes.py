"""The contexts of a session for each way of giving a context its tensors.

A context does not survive a change of that way: librknnrt 1.5.2, once it was given uint8 pixels, normalises whatever
else it is given, by ``rknn_inputs_set`` or by binding, and it goes on converting what was bound before
``rknn_inputs_set``; all its calls succeed. So each way has contexts of its own, a *lane*: one more for every worker,
which still runs one task at a time. Most programs use one way for ever, and that one has the contexts that the session
was made with.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Callable

from .errors import RknnClosedError

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from .contexts import Contexts
    from .runtime.context import Context
    from .runtime.engine import Engine


class Lanes:
    """Opens a lane for each way when it is first used, and ends them all."""

    def __init__(self, first: Contexts, open_contexts: Callable[[Contexts], Contexts]) -> None:
        """``first`` are the contexts of lane 0, ``open_contexts`` opens those of another, from the first."""
        self._open = open_contexts
        self._lock = threading.Lock()  # guards the three below
        self._contexts = [first]
        self._numbers: dict[Hashable, int] = {}
        self._engine: Engine | None = None
        self._check: Callable[[], None] = lambda: None

    def __getitem__(self, lane: int) -> Contexts:
        return self._contexts[lane]

    def attach(self, engine: Engine, check: Callable[[], None]) -> None:
        """Before the first call of :meth:`number`: who runs tasks on the lanes, and what refuses them in a fork."""
        self._engine, self._check = engine, check

    def detach(self) -> None:
        """Open no more lanes: the engine is about to be destroyed."""
        with self._lock:
            self._engine = None

    def number(self, way: Hashable) -> int:
        """The lane for tasks whose tensors go this way, opened if there is none yet.

        Args:
            way: for each input and for each output whether it is bound as ``"pixels"`` (which the NPU converts), as
                ``"native"`` (as it is), or to be ``"converted"`` (by the runtime, in every run); or, of inputs that are
                copied, which of them are pixels.

        Raises:
            RknnClosedError: the session is closed.
            RknnError: the runtime has no more contexts.
        """
        lane = self._numbers.get(way)
        if lane is not None:
            return lane
        with self._lock:
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
        # The later ones first: their weights, and those that other sessions borrow, are lane 0's.
        for contexts in reversed(self._contexts):
            contexts.close(lost)

    def _add(self) -> int:
        self._check()
        if self._engine is None:
            raise RknnClosedError("the session is closed")
        contexts = self._open(self._contexts[0])
        try:
            lane = self._engine.add_lane(list(contexts))
        except BaseException:
            contexts.close()
            raise
        self._contexts.append(contexts)
        return lane
