# SPDX-License-Identifier: Apache-2.0
"""The future of one inference."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, Callable

from .._host.callbacks import check_callback, reporting
from .._host.process_bound import ProcessBound, never_raising
from .._runtime.engine import CANCELLED, DISCARDED
from .._tensors.outputs import selected
from .task_errors import discarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._runtime.task import Result
    from .._transport.request import Request
    from .executor import Executor

    _Future = Future[list[Any]]
else:
    _Future = Future


class RunFuture(ProcessBound, _Future):
    """The future that ``InferenceSession.submit()`` returns: a standard one, of a list of arrays or of values.

    It can be cancelled until a worker takes up its task; then :meth:`cancel` returns False, as for a running future.

    Attributes:
        task_id: the number of the task, counted from 0 over everything that the session was given: task *i* goes to
            core ``schedule[i % len(schedule)]``, and profiles know it by that number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.task_id = -1
        self._withdraw: Callable[[], bool] = _too_late
        super().add_done_callback(_forget_task)

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

    def accepted(self, task_id: int, withdraw: Callable[[], bool]) -> RunFuture:
        """Note that the task is queued; ``withdraw`` takes it back, and returns False if it is too late."""
        self.task_id = task_id
        self._withdraw = withdraw
        if self.done():  # already, and perhaps before there was anything to forget
            _forget_task(self)
        return self

    def discard(self) -> None:
        """Cancel the future: the session was closed and has discarded the task."""
        if super().cancel():
            self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        """Withdraw the task if no worker has taken it up; return True if it is cancelled."""
        if not self.done() and self._withdraw() and super().cancel():
            # Notifies concurrent.futures.wait() and as_completed() too.
            self.set_running_or_notify_cancel()
        return self.cancelled()


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


def _too_late() -> bool:
    return False


def _forget_task(future: _Future) -> None:
    # The function that withdraws the task holds its inputs; a future that is kept needs only the outputs.
    assert isinstance(future, RunFuture)
    future._withdraw = _too_late


def submit(
    executor: Executor, request: Request, wanted: Sequence[int] | None = None, timeout_ms: int | None = None
) -> RunFuture:
    """Queue a request and return the future of its outputs, or of those with the indices ``wanted``.

    Raises:
        RknnTimeoutError: the queue stayed full.
    """

    return future_of(executor, request, lambda: selected(request.arrays, wanted), timeout_ms)


def future_of(
    executor: Executor, request: Request, outputs: Callable[[], list[Any]], timeout_ms: int | None
) -> RunFuture:
    """Queue a request of any kind and return the future of its ``outputs``; see :func:`submit`."""
    future = RunFuture()

    def receive(_: Request, result: Result) -> None:
        if result.code == CANCELLED:
            return  # by the future's own cancel(), which has notified everyone
        if result.code == DISCARDED and not result.call:
            future.discard()
            return
        future.set_running_or_notify_cancel()
        if result.code < 0:
            future.set_exception(executor.failure(result))
        else:
            future.set_result(outputs())

    def withdraw() -> bool:
        withdrawn = executor.cancel(identifier)
        if withdrawn:
            request.ended(None)  # now, and not at its delivery: what it uses may be used again at once
        return withdrawn

    try:
        identifier = executor.submit(request, receive, unordered=True, timeout_ms=timeout_ms)
    except BaseException:
        request.ended(None)
        raise
    return future.accepted(identifier, withdraw)
