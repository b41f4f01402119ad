# SPDX-License-Identifier: Apache-2.0
"""The contexts of a session: one for each worker of its plan.

Weights are in memory once. Contexts after the first are its duplicates, made before any of them runs. The contexts of
another :mod:`lane <.lanes>` cannot be duplicates: the first context has run by then, and they would inherit how it was
given its inputs. So the first of them is loaded separately, with the weights of the existing contexts.

A session may use the weights of another one. Each of its contexts is then made from the first context of that *lender*,
which is kept for that by a :class:`Loan`, and by each context made from it.

A garbage collection may end a session at any moment, on any thread, even inside these methods. So nothing here takes a
lock: every step is an atomic operation on a list or a dictionary, and a context is destroyed by the call that takes it
out.
"""

from __future__ import annotations

import functools
import itertools
import logging
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from .._options.init_flags import init_flags
from ..errors import RknnClosedError, RknnError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from .._options.plan import Plan
    from .._options.provider_options import ProviderOptions
    from .._runtime.context import Context
    from .._runtime.library import Library
    from .custom_ops import CustomOps
    from .model_source import ModelSource

logger = logging.getLogger("ez_rknn_async")


class Watcher(Protocol):
    """Owns resources in each of the contexts; notified when one is replaced."""

    def replaced(self, worker: int, context: Context) -> None:
        """Move to the fresh context of a worker; the former one will be destroyed, with everything in it."""


_numbers = itertools.count()
# RKNN_ERR_FAIL, _PARAM_INVALID, _MODEL_INVALID: with these a runtime may refuse what it does not support.
_REFUSALS = (-1, -5, -6)


class Loan:
    """The use of a lender's first context, until :meth:`end`, or in a ``with`` block."""

    def __init__(self, context: Context) -> None:
        """Take over a context that is held already."""
        self.context = context

    def __enter__(self) -> Context:
        return self.context

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let go of the context: exactly once, when nothing more will be made from it."""
        self.context.let_go()


def counted_apart(options: ProviderOptions) -> ProviderOptions:
    """Return options that make the simulated NPU's faults count one session's calls, unless they say otherwise."""
    settings = options.simulator
    if settings is None or "fault" not in settings or "counter" in settings:
        return options
    return replace(options, simulator=f"{settings},counter=session {next(_numbers)}")


class Contexts:
    """The contexts of one lane: opened all or none, replaced where one hangs, and given back."""

    def __init__(
        self,
        library: Library,
        source: ModelSource,
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
            source: the model; the owner of these contexts holds it, as one of them may have to be replaced.
            plan: the workers.
            options: the session's.
            lender: has the weights that the model leaves out.
            custom_ops: for every context.
            first: the contexts of the session's first lane, if this is to be another one.

        Raises:
            RknnClosedError: the lender or the first lane is closed.
            RknnError: the runtime refuses the model, a core mask or a custom operator; contexts that were open already
                are given back.
        """
        self._custom_ops = custom_ops
        self._library, self._source, self._plan, self._options = library, source, plan, options
        # Not if the user says so, nor with custom operators: a duplicate would lack them, and the runtime does not
        # combine them with the weights of another context.
        self._may_share = not options.disable_dup_context and custom_ops is None
        self._all: dict[Context, None] = {}  # still to be destroyed, by the call that takes them out
        self._current: list[Context] = []
        self._set_aside: dict[int, Context] = {}  # by the tag of the task that hangs in it
        self._came_back: set[int] = set()  # tags of calls that returned before their context was set aside
        self._replacing: list[int] = []  # the workers that are being replaced
        self._is_closed = False
        self._watchers: set[weakref.ref[Watcher]] = set()
        self._loans = [] if lender is None else [lender.lend("the session given as use_weight_from")]
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
        """True if they were given back, or will be as soon as nothing needs them."""
        return self._is_closed

    def watch(self, watcher: Watcher) -> None:
        """Notify ``watcher``, for as long as it lives, of each context that is replaced from now on."""
        self._watchers.add(weakref.ref(watcher, self._watchers.discard))

    def spare(self) -> Context:
        """Open one more context for queries and trials, not for runs; the caller destroys it before these.

        It has no core mask and no custom operators. Only to be called before any of these contexts has run.

        Raises:
            RknnError: the runtime opens no other.
        """
        return self._another()

    def replace(self, worker: int, tag: int, prepare: Callable[[Context], None] = lambda _: None) -> Context:
        """Open a fresh context for a worker, and set its present one aside, which hangs with the task of that tag.

        ``prepare`` and the watchers get the fresh context before the engine does; what ``prepare`` raises ends the
        attempt.

        This takes as long as loading the model does, and may hang in a faulty runtime; :meth:`close` does not wait for
        it.

        Raises:
            RknnClosedError: these contexts were closed before the fresh one was ready.
            RknnError: the runtime opens no other.
        """
        if self._is_closed:
            raise RknnClosedError("the session is closed")
        self._replacing.append(worker)
        try:
            # With weights of its own: those of a context that hangs cannot be relied on.
            fresh = self._open(worker, self._load)
        finally:
            self._replacing.remove(worker)
        # Before the notifications: resources made from now on are made in this context, and the owners of those made
        # before are notified.
        old, self._current[worker] = self._current[worker], fresh
        try:
            prepare(fresh)
        except BaseException:
            self._current[worker] = old
            self._destroy(fresh)
            raise
        self._notify(worker, fresh)
        self._put_aside(tag, old)
        if self._is_closed:
            self._destroy(fresh)
            raise RknnClosedError("the session is closed")
        return fresh

    def release(self, tag: int) -> None:
        """Give back, once it is replaced, the context in which that task hung: its call has returned."""
        self._came_back.add(tag)
        self._destroy_released(tag)

    def close(self, lost: Collection[int] = ()) -> None:
        """Give all contexts back, except those with the handles ``lost``, which are still inside the runtime.

        Each is destroyed when nothing uses its weights or its memory any more.
        """
        self._is_closed = True
        for context in tuple(self._all):
            if context.handle not in lost:
                self._destroy(context)
        while self._loans:
            self._loans.pop().end()

    def lend(self, session: str = "the session") -> Loan:
        """Lend the first context: to another session or lane for its weights, or to a value for its memory.

        Raises:
            RknnClosedError: these contexts are closed; the message calls them ``session``.
        """
        context = None
        while True:
            former, context = context, self._first(session)
            try:
                context.hold()
            except RknnClosedError:
                if context is former:
                    raise
            else:
                return Loan(context)  # not one that was replaced and destroyed just then

    def _first(self, session: str = "the session") -> Context:
        if self._is_closed:
            raise RknnClosedError(f"{session} is closed")
        return self._current[0]

    def _notify(self, worker: int, fresh: Context) -> None:
        for reference in self._watchers.copy():
            watcher = reference()
            try:
                if watcher is not None:
                    watcher.replaced(worker, fresh)
            except RknnError:
                logger.exception("worker %d does not reach memory that its predecessor did", worker)

    def _put_aside(self, tag: int, context: Context) -> None:
        self._set_aside[tag] = context
        if tag in self._came_back:
            self._destroy_released(tag)

    def _destroy_released(self, tag: int) -> None:
        context = self._set_aside.pop(tag, None)
        if context is not None:
            self._came_back.discard(tag)
            self._destroy(context)

    def _destroy(self, context: Context) -> None:
        """Destroy a context, unless another caller has done so."""
        if self._all.pop(context, False) is None:
            context.destroy()

    def _open(self, worker: int, make: Callable[[], Context]) -> Context:
        context = make()
        self._all[context] = None
        mask = self._plan.workers[worker].core_mask
        try:
            if mask is not None:
                context.set_core_mask(mask)
            if self._options.batch_core_num:
                context.set_batch_core_num(self._options.batch_core_num)
            if self._custom_ops is not None:
                self._custom_ops.register(context)
            if self._is_closed:  # and close() may have missed this one
                raise RknnClosedError("the session is closed")
        except BaseException:
            self._destroy(context)
            raise
        return context

    def _another(self) -> Context:
        """Open one more context; none of these has run yet."""
        if not self._may_share or self._loans:
            return self._load()
        with self._library.simulator_settings(self._options.simulator):
            return self._current[0].duplicate()

    def _load(self, first: Contexts | None = None) -> Context:
        """Load the model, with the lender's weights or, if weights may be shared, with those of ``first``."""
        for loan in self._loans:
            return self._init(loan.context)
        if first is None or not self._may_share:
            return self._init(None)
        try:
            return self._init(first._healthy())
        except RknnError as error:
            if error.code not in _REFUSALS:
                raise
            logger.info("the contexts of another lane have weights of their own: %s", error)
            return self._init(None)

    def _healthy(self) -> Context | None:
        """Return a context that does not hang; None while one is being replaced."""
        first = self._first()
        return None if self._replacing else first

    def _init(self, weights_of: Context | None) -> Context:
        with self._library.simulator_settings(self._options.simulator):
            return self._source.open_context(self._library, init_flags(self._options), weights_of=weights_of)
