"""The contexts of a session: one for each worker of its plan.

Weights are in memory once. Contexts beyond the first are its duplicates, made before any of them runs. Those of another
:mod:`lane <.lanes>` cannot be: what they would duplicate has run, and with it they would inherit how it was given its
inputs. So the first of them is loaded anew, with the weights of the contexts that are there.

A session may use the weights of another one. Then each of its contexts is made from the first context of that *lender*,
which must not be destroyed before them: while a :class:`Loan` lasts, the lender destroys nothing.
"""

from __future__ import annotations

import functools
import itertools
import logging
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from . import greenlets
from .errors import RknnClosedError, RknnError
from .init_flags import init_flags
from .runtime.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from .custom_ops import CustomOps
    from .options import ProviderOptions
    from .plan import Plan
    from .runtime.library import Library

logger = logging.getLogger("ez_rknn_async")


class Watcher(Protocol):
    """Somebody who has something in each of the contexts."""

    def replaced(self, worker: int, context: Context) -> None:
        """A worker has a fresh context; the former one will be destroyed, with all that it has."""


_numbers = itertools.count()
# RKNN_ERR_FAIL, _PARAM_INVALID, _MODEL_INVALID: with which a runtime may say that it does not do what it is asked for.
_REFUSALS = (-1, -5, -6)


class Loan:
    """The use of what a lender's first context has, its weights or its memory, until :meth:`end`."""

    def __init__(self, lender: Contexts, context: Context) -> None:
        self.context = context
        self._lender = lender

    def end(self) -> None:
        """Call once, when no context that uses the weights is left, or the memory is freed."""
        self._lender.take_back()


def counted_apart(options: ProviderOptions) -> ProviderOptions:
    """Options by which the simulated NPU's faults count the calls of one session, unless they say otherwise."""
    settings = options.simulator
    if settings is None or "fault" not in settings or "counter" in settings:
        return options
    return replace(options, simulator=f"{settings},counter=session {next(_numbers)}")


class Contexts:
    """Opens them all or none, replaces one that hangs, and gives them back."""

    def __init__(
        self,
        library: Library,
        model: str | bytes,
        plan: Plan,
        options: ProviderOptions,
        lender: Contexts | None = None,
        custom_ops: CustomOps | None = None,
        *,
        first: Contexts | None = None,
    ) -> None:
        """Open a context for every worker, each with the custom operators.

        Args:
            library: the runtime.
            model: a path, or the file's bytes, which are kept: a context may have to be replaced.
            plan: which workers there are.
            options: the session's.
            lender: has the weights that the model leaves out.
            custom_ops: for every context.
            first: of the session's first lane, if this is to be another one.

        Raises:
            RknnClosedError: the lender is closed, or the first lane.
            RknnError: the runtime refuses the model, a core mask or a custom operator; those that were open already
                are given back.
        """
        self._custom_ops = custom_ops
        self._library, self._model, self._plan, self._options = library, model, plan, options
        # What stands against sharing weights: the user; operators that a duplicate would lack, and that a runtime does
        # not combine with the weights of another context.
        self._may_share = not options.disable_dup_context and custom_ops is None
        self._lock = greenlets.lock()  # guards what follows
        self._current: list[Context] = []
        self._set_aside: dict[int, Context] = {}  # by the tag of the task that hangs in it
        self._came_back: set[int] = set()  # tags whose contexts were not set aside by then
        self._replacing = 0
        self._closed = False
        self._loans = 0
        self._watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
        self._doomed: list[Context] = []  # to be destroyed when the last loan ends
        self._loan = None if lender is None else lender.lend("the session given as use_weight_from")
        try:
            for worker in range(len(plan.workers)):
                self._current.append(
                    self._open(worker, self._another if worker else functools.partial(self._load, first))
                )
        except BaseException:
            self.close()
            raise

    def __getitem__(self, worker: int) -> Context:
        return self._current[worker]

    def __iter__(self) -> Iterator[Context]:
        return iter(self._current)

    def __len__(self) -> int:
        return len(self._plan.workers)

    @property
    def is_closed(self) -> bool:
        """Whether they were given back, or will be as soon as nobody needs them."""
        return self._closed

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody, for as long as he lives, of contexts that are replaced."""
        with self._lock:
            self._watchers.add(watcher)

    def spare(self) -> Context:
        """One more context, to ask and to try things with, but not to run; whoever wants it destroys it before these.

        It has no core mask and no custom operators. Only to be called before any of these contexts has run.

        Raises:
            RknnError: the runtime gives no other.
        """
        return self._another()

    def replace(self, worker: int, tag: int, prepare: Callable[[Context], None] = lambda _: None) -> Context:
        """A fresh context for a worker whose present one hangs with the task of that tag; that one is set aside.

        ``prepare`` is called with it before anyone but the watchers knows it; what it raises ends the attempt.

        It takes as long as loading the model does, and may hang in a runtime that is not well; :meth:`close` does not
        wait for it.

        Raises:
            RknnClosedError: these contexts were closed before the fresh one was there.
            RknnError: the runtime gives no other.
        """
        with self._lock:
            if self._closed:
                raise RknnClosedError("the session is closed")
            self._replacing += 1
        try:
            fresh = self._fresh(worker, prepare)
        finally:
            with self._lock:
                self._replacing -= 1
        with self._lock:
            closed, came_back = self._closed, tag in self._came_back
            if not closed:
                old, self._current[worker] = self._current[worker], fresh
                if not came_back:
                    self._set_aside[tag] = old
        if closed:
            fresh.destroy()
            raise RknnClosedError("the session is closed")
        if came_back:
            self._destroy([old])
        return fresh

    def _fresh(self, worker: int, prepare: Callable[[Context], None]) -> Context:
        # With weights of its own: those of a context that is not well are not to be relied upon.
        fresh = self._open(worker, self._load)
        try:
            prepare(fresh)
        except BaseException:
            fresh.destroy()
            raise
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            try:
                watcher.replaced(worker, fresh)
            except RknnError:
                logger.exception("worker %d does not reach memory that its predecessor did", worker)
        return fresh

    def release(self, tag: int) -> None:
        """The call that hung with that task has come back: its context can be given back, once it is replaced."""
        with self._lock:
            context = self._set_aside.pop(tag, None)
            if context is None:
                self._came_back.add(tag)
        if context is not None:
            self._destroy([context])

    def close(self, lost: Collection[int] = ()) -> None:
        """Give all contexts back, but for those with the handles ``lost``: they are still inside the runtime.

        While others use the weights, that waits for the last of them.
        """
        with self._lock:
            contexts = [*self._current, *self._set_aside.values()]
            self._current, self._set_aside, self._closed = [], {}, True
            if self._replacing or any(context.handle in lost for context in contexts):
                self._loan = None  # never ends: a context that is lost, or still being made, may read the weights
        self._destroy([context for context in contexts if context.handle not in lost])

    def lend(self, session: str = "the session") -> Loan:
        """Let another session use these weights, or a value the first context's memory.

        Raises:
            RknnClosedError: these contexts are closed; the message calls them ``session``.
        """
        with self._lock:
            if self._closed:
                raise RknnClosedError(f"{session} is closed")
            self._loans += 1
            return Loan(self, self._current[0])

    def take_back(self) -> None:
        """A loan has ended."""
        with self._lock:
            self._loans -= 1
        self._destroy([])

    def _destroy(self, contexts: Sequence[Context]) -> None:
        """Destroy contexts, now or when nobody uses their weights any more; borrowers go before their lender."""
        with self._lock:
            self._doomed += contexts
            if self._loans:
                return
            doomed, self._doomed = self._doomed, []
            loan, self._loan = (self._loan, None) if self._closed else (None, self._loan)
        for context in doomed:
            context.destroy()
        if loan is not None:
            loan.end()

    def _open(self, worker: int, make: Callable[[], Context]) -> Context:
        context = make()
        mask = self._plan.workers[worker].core_mask
        try:
            if mask is not None:
                context.set_core_mask(mask)
            if self._options.batch_core_num:
                context.set_batch_core_num(self._options.batch_core_num)
            if self._custom_ops is not None:
                self._custom_ops.register(context)
        except BaseException:
            context.destroy()
            raise
        return context

    def _another(self) -> Context:
        """One more, of contexts none of which has run."""
        if not self._may_share or self._loan is not None:
            return self._load()
        with self._library.simulator_settings(self._options.simulator):
            return self._current[0].duplicate()

    def _load(self, first: Contexts | None = None) -> Context:
        """Load the model, with the lender's weights or, if there may be two of the kind, with those of ``first``."""
        if self._loan is not None:
            return self._init(self._loan.context)
        if first is None or not self._may_share:
            return self._init(None)
        try:
            return self._init(first._well())
        except RknnError as error:
            if error.code not in _REFUSALS:
                raise
            logger.info("the contexts of another lane have weights of their own: %s", error)
            return self._init(None)

    def _well(self) -> Context | None:
        """A context that does not hang; None while that is not known of any."""
        with self._lock:
            if self._closed:
                raise RknnClosedError("the session is closed")
            return None if self._replacing else self._current[0]

    def _init(self, weights_of: Context | None) -> Context:
        with self._library.simulator_settings(self._options.simulator):
            return Context.open(self._library, self._model, init_flags(self._options), weights_of=weights_of)
