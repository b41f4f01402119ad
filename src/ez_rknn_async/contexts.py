"""The contexts of a session: one for each worker of its plan."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .runtime.context import Context

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .options import ProviderOptions
    from .plan import Plan
    from .runtime.library import Library


class Contexts:
    """Opens them all or none, replaces one that hangs, and gives them back."""

    def __init__(self, library: Library, model: str | bytes, plan: Plan, options: ProviderOptions) -> None:
        """Open a context for every worker.

        Raises:
            RknnError: the runtime refuses the model or a core mask; those that were open already are given back.
        """
        self._library, self._model, self._plan, self._options = library, model, plan, options
        self._lock = threading.Lock()  # guards the two below
        self._current: list[Context] = []
        self._set_aside: dict[int, Context] = {}  # by the tag of the task that hangs in it
        try:
            for worker in range(len(plan.workers)):
                self._current.append(self._open(worker))
        except BaseException:
            self.close()
            raise

    def __getitem__(self, worker: int) -> Context:
        return self._current[worker]

    def __iter__(self) -> Iterator[Context]:
        return iter(self._current)

    def replace(self, worker: int, tag: int) -> Context:
        """A fresh context for a worker whose present one hangs with the task of that tag; that one is set aside.

        Raises:
            RknnError: the runtime gives no other.
        """
        # Loaded anew: duplicating would share the weights of a context that is not well.
        fresh = self._open(worker, share=False)
        with self._lock:
            self._set_aside[tag] = self._current[worker]
            self._current[worker] = fresh
        return fresh

    def release(self, tag: int) -> None:
        """The call that hung with that task has come back: its context can be given back, if it was replaced."""
        with self._lock:
            context = self._set_aside.pop(tag, None)
        if context is not None:
            context.destroy()

    def close(self, lost: Collection[int] = ()) -> None:
        """Give all contexts back, but for those with the handles ``lost``: they are still inside the runtime."""
        with self._lock:
            contexts = [*self._current, *self._set_aside.values()]
            self._current, self._set_aside = [], {}
        for context in contexts:
            if context.handle not in lost:
                context.destroy()

    def _open(self, worker: int, *, share: bool = True) -> Context:
        with self._library.simulator_settings(self._options.simulator):
            share = share and bool(self._current) and not self._options.disable_dup_context
            context = self._current[0].duplicate() if share else Context.open(self._library, self._model)
        mask = self._plan.workers[worker].core_mask
        if mask is not None:
            try:
                context.set_core_mask(mask)
            except BaseException:
                context.destroy()
                raise
        return context
