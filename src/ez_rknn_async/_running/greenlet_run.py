# SPDX-License-Identifier: Apache-2.0
"""One inference run from a greenlet: other greenlets run while it waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import RknnTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from .._runtime.task import Result
    from .._transport.request import Request
    from ..errors import RknnError


class Submitter(Protocol):
    """The part of an executor that is needed here."""

    @property
    def failure(self) -> Callable[[Result], RknnError]:
        """The function that makes the exception for a failed task."""

    def submit(self, request: Request, receive: Callable[[Request, Result], None], *, unordered: bool) -> int:
        """Queue an inference, and return its id."""

    def cancel(self, identifier: int) -> bool:
        """Withdraw the inference; return False if a worker has taken it up."""


def run(executor: Submitter, request: Request, timeout_ms: int) -> list[npt.NDArray[Any]]:
    """Run a request and return all outputs.

    Raises:
        RknnTimeoutError: no worker was free in time, or the run took too long.
        RknnError: the runtime refused or failed.
    """
    ended, results = threading.Event(), list["Result"]()

    def receive(_: Request, result: Result) -> None:
        results.append(result)
        ended.set()

    try:
        identifier = executor.submit(request, receive, unordered=True)
    except BaseException:
        request.ended(None)  # it was not accepted
        raise
    try:
        if not ended.wait(timeout_ms / 1000) and _withdraw(executor, identifier, request):
            raise RknnTimeoutError(
                f"run submit timed out: no worker was free within {timeout_ms} ms",
                hint="raise submit_timeout_ms or max_queue_size, or submit less",
            )
        ended.wait()
    except BaseException:
        # Killed, or out of time. A task that a worker has taken up ends by itself, and its memory is kept until then.
        _withdraw(executor, identifier, request)
        raise
    if results[0].code < 0:
        raise executor.failure(results[0])
    return request.arrays


def _withdraw(executor: Submitter, identifier: int, request: Request) -> bool:
    """Withdraw the task and free what it uses; return False if a worker has taken it up."""
    withdrawn = executor.cancel(identifier)
    if withdrawn:
        request.ended(None)
    return withdrawn
