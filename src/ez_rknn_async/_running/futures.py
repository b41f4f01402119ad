# SPDX-License-Identifier: Apache-2.0
"""The future of one inference."""

from __future__ import annotations

from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from .._host.callbacks import check_callback, reporting
from .._host.process_bound import ProcessBound, never_raising
from .._runtime.engine import CANCELLED, DISCARDED
from .._tensors.outputs import selected
from .lazy_future import LazyFuture
from .task_errors import discarded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from .._runtime.task import Result
    from .._transport.request import Request
    from .executor import Executor

    _Future = Future[list[Any]]
    _Task = tuple[Executor, Request, Callable[[Request], list[Any]]]


class RunFuture(ProcessBound, LazyFuture):
    """The future that ``InferenceSession.submit()`` returns: a standard one, of a list of arrays or of values.

    It can be cancelled until a worker takes up its task; then :meth:`cancel` returns False, as for a running future.

    Attributes:
        task_id: the number of the task, counted from 0 over everything that the session was given: task *i* goes to
            core ``schedule[i % len(schedule)]``, and profiles know it by that number.
    """

    def __init__(self, executor: Executor, request: Request, outputs: Callable[[Request], list[Any]]) -> None:
        """Prepare the future of the ``outputs`` of a request."""
        self.task_id = -1
        # Until it has ended: the request holds its inputs, and a future that is kept needs only the outputs.
        self._task: _Task | None = (executor, request, outputs)

    def add_done_callback(self, fn: Callable[[_Future], object]) -> None:
        """Call ``fn(future)`` on the session's thread when the future has ended; at once if it already has.

        What it raises, ``SystemExit`` included, goes to ``threading.excepthook``, or is logged if the program has set
        up logging; the other callbacks are called all the same.

        Raises:
            RknnTypeError: it does not take one positional argument, or is a coroutine function.
        """
        check_callback(
            fn, ("future",), "add_done_callback(fn)", "pass a function, or await asyncio.wrap_future(future)"
        )
        super().add_done_callback(reporting(fn))

    @never_raising
    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "finished" if self.done() else "under way"
        failed = state == "finished" and self.exception(0) is not None
        return f"<{type(self).__name__} of task {self.task_id}: {'failed' if failed else state}>"

    def submit(self, timeout_ms: int | None) -> RunFuture:
        """Queue the request.

        Raises:
            RknnTimeoutError: the queue stayed full.
        """
        assert self._task is not None
        executor, request, _ = self._task
        try:
            self.task_id = executor.submit(request, self._receive, unordered=True, timeout_ms=timeout_ms)
        except BaseException:
            request.ended(None)
            raise
        return self

    def cancel(self) -> bool:
        """Withdraw the task if no worker has taken it up; return True if it is cancelled."""
        if self._withdraw() and super().cancel():
            # Notifies concurrent.futures.wait() and as_completed() too.
            self.set_running_or_notify_cancel()
        return self.cancelled()

    def _withdraw(self) -> bool:
        task = self._task
        if task is None:
            return False
        executor, request, _ = task
        if not executor.cancel(self.task_id):
            return False
        self._task = None
        request.ended(None)  # now, and not at its delivery: what it uses may be used again at once
        return True

    def _receive(self, request: Request, result: Result) -> None:
        """Take the result of the task, on the delivery thread."""
        if result.code == CANCELLED:
            return  # by the future's own cancel(), which has notified everyone
        assert self._task is not None
        (executor, _, outputs), self._task = self._task, None
        if result.code >= 0:
            self.settle(outputs(request))
        elif result.code == DISCARDED and not result.call:
            self._discard()
        else:
            self.set_running_or_notify_cancel()
            self.set_exception(executor.failure(result))

    def _discard(self) -> None:
        """Cancel the future: the session was closed and has discarded the task."""
        if super().cancel():
            self.set_running_or_notify_cancel()


def result_of(future: _Future) -> list[Any]:
    """Return the result of a future that the user has never seen, and so cannot have cancelled.

    Raises:
        RknnClosedError: the session was closed with ``cancel=True``.
        RknnError: the inference failed.
    """
    try:
        return future.result()
    except CancelledError:
        if not future.cancelled():
            raise  # the source of a stream has raised it
        raise discarded() from None


def submit(
    executor: Executor, request: Request, wanted: Sequence[int] | None = None, timeout_ms: int | None = None
) -> RunFuture:
    """Queue a request and return the future of its outputs, or of those with the indices ``wanted``.

    Raises:
        RknnTimeoutError: the queue stayed full.
    """
    outputs = _all_outputs if wanted is None else partial(_some_outputs, wanted)
    return RunFuture(executor, request, outputs).submit(timeout_ms)


def future_of(
    executor: Executor, request: Request, outputs: Callable[[], list[Any]], timeout_ms: int | None
) -> RunFuture:
    """Queue a request of any kind and return the future of its ``outputs``; see :func:`submit`."""
    return RunFuture(executor, request, lambda _: outputs()).submit(timeout_ms)


def _all_outputs(request: Request) -> list[Any]:
    return request.arrays


def _some_outputs(wanted: Sequence[int], request: Request) -> list[Any]:
    return selected(request.arrays, wanted)
