"""The contexts of a session: one for each worker of its plan.

Weights are in memory once. Contexts beyond the first are its duplicates, made before any of them runs. Those of another
:mod:`lane <.lanes>` cannot be: what they would duplicate has run, and with it they would inherit how it was given its
inputs. So the first of them is loaded separately, with the weights of the contexts that are there.

A session may use the weights of another one. Then each of its contexts is made from the first context of that *lender*,
which is kept for that by a :class:`Loan`, and by each context that was made from it.

A garbage collection may end a session at any moment, on any thread, also inside of these methods. So nothing here takes
a lock: every step is an atomic operation on a list or a dictionary, and what two may want to end belongs to the one who
takes it out.
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
    """Owns something in each of the contexts; notified when one is replaced."""

    def replaced(self, worker: int, context: Context) -> None:
        """Move to the fresh context of a worker; the former one will be destroyed, with all that it has."""


_numbers = itertools.count()
# RKNN_ERR_FAIL, _PARAM_INVALID, _MODEL_INVALID: with which a runtime may say that it does not do what it is asked for.
_REFUSALS = (-1, -5, -6)


class Loan:
    """The use of a lender's first context, until :meth:`end`, or in a ``with`` block."""

    def __init__(self, context: Context) -> None:
        """The context is held already."""
        self.context = context

    def __enter__(self) -> Context:
        return self.context

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Call exactly once, when nothing will be made of the context any more."""
        self.context.let_go()


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
            source: the model; what keeps these contexts holds it: one of them may have to be replaced.
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
        self._library, self._source, self._plan, self._options = library, source, plan, options
        # What stands against sharing weights: the user; operators that a duplicate would lack, and that a runtime does
        # not combine with the weights of another context.
        self._may_share = not options.disable_dup_context and custom_ops is None
        self._all: dict[Context, None] = {}  # still to be destroyed, by the one who takes it out
        self._current: list[Context] = []
        self._set_aside: dict[int, Context] = {}  # by the tag of the task that hangs in it
        self._came_back: set[int] = set()  # tags whose contexts were not set aside by then
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
        """Whether they were given back, or will be as soon as nothing needs them."""
        return self._is_closed

    def watch(self, watcher: Watcher) -> None:
        """Tell ``watcher``, for as long as it lives, of each context that is replaced from now on."""
        self._watchers.add(weakref.ref(watcher, self._watchers.discard))

    def spare(self) -> Context:
        """One more context, to ask and to try things with, but not to run; the caller destroys it before these.

        It has no core mask and no custom operators. Only to be called before any of these contexts has run.

        Raises:
            RknnError: the runtime gives no other.
        """
        return self._another()

    def replace(self, worker: int, tag: int, prepare: Callable[[Context], None] = lambda _: None) -> Context:
        """A fresh context for a worker whose present one hangs with the task of that tag; that one is set aside.

        ``prepare`` and the watchers are called with it before the engine knows it; what ``prepare`` raises ends the
        attempt.

        It takes as long as loading the model does, and may hang in a runtime that is not well; :meth:`close` does not
        wait for it.

        Raises:
            RknnClosedError: these contexts were closed before the fresh one was there.
            RknnError: the runtime gives no other.
        """
        if self._is_closed:
            raise RknnClosedError("the session is closed")
        self._replacing.append(worker)
        try:
            # With weights of its own: those of a context that is not well are not to be relied upon.
            fresh = self._open(worker, self._load)
        finally:
            self._replacing.remove(worker)
        # First of all: whatever is made in the contexts from now on is made in this one, and whatever was made before
        # is told of it.
        old, self._current[worker] = self._current[worker], fresh
        try:
            prepare(fresh)
        except BaseException:
            self._current[worker] = old
            self._destroy(fresh)
            raise
        self._tell(worker, fresh)
        self._put_aside(tag, old)
        if self._is_closed:
            self._destroy(fresh)
            raise RknnClosedError("the session is closed")
        return fresh

    def release(self, tag: int) -> None:
        """The call that hung with that task has come back: its context can be given back, once it is replaced."""
        self._came_back.add(tag)
        self._destroy_released(tag)

    def close(self, lost: Collection[int] = ()) -> None:
        """Give all contexts back, but for those with the handles ``lost``: they are still inside the runtime.

        Each goes when nothing uses its weights or its memory any more.
        """
        self._is_closed = True
        for context in tuple(self._all):
            if context.handle not in lost:
                self._destroy(context)
        while self._loans:
            self._loans.pop().end()

    def lend(self, session: str = "the session") -> Loan:
        """Let another session or lane use these weights, or a value the memory of the first context.

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

    def _tell(self, worker: int, fresh: Context) -> None:
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
            if self._is_closed:  # and has perhaps not met this one
                raise RknnClosedError("the session is closed")
        except BaseException:
            self._destroy(context)
            raise
        return context

    def _another(self) -> Context:
        """One more, of contexts none of which has run."""
        if not self._may_share or self._loans:
            return self._load()
        with self._library.simulator_settings(self._options.simulator):
            return self._current[0].duplicate()

    def _load(self, first: Contexts | None = None) -> Context:
        """Load the model, with the lender's weights or, if there may be two of the kind, with those of ``first``."""
        for loan in self._loans:
            return self._init(loan.context)
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
        first = self._first()
        return None if self._replacing else first

    def _init(self, weights_of: Context | None) -> Context:
        with self._library.simulator_settings(self._options.simulator):
            return self._source.open_context(self._library, init_flags(self._options), weights_of=weights_of)
