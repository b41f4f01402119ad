# SPDX-License-Identifier: Apache-2.0
"""One inference under way for an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    import numpy.typing as npt

    from .._runtime.task import Result
    from .._transport.request import Request
    from .executor import Executor
    from .mailbox import Mailbox

    Results = list[npt.NDArray[Any]]


class Inference:
    """One inference under way, for the event loop of the caller. All but :meth:`receive` is for that loop's thread.

    Attributes:
        waiter: the future that is awaited for the end, if any.
    """

    __slots__ = ("_executor", "_identifier", "_mailbox", "_request", "_result", "waiter")

    def __init__(self, executor: Executor, request: Request, mailbox: Mailbox) -> None:
        """Prepare a request."""
        self._executor, self._request, self._mailbox = executor, request, mailbox
        self._identifier = -1
        self._result: Result | None = None
        self.waiter: asyncio.Future[None] | None = None

    def submit_at_once(self) -> None:
        """Queue it, if there is room.

        Raises:
            RknnTimeoutError: the queue is full, or others wait for room.
        """
        self._identifier = self._executor.submit_at_once(self._request, self.receive)

    async def submit(self) -> None:
        """Queue it; the event loop goes on while the queue is full.

        Raises:
            RknnTimeoutError: there was no room in time.
        """
        self._identifier = await self._executor.submit_awaitable(self._request, self.receive)

    def receive(self, _: Request, result: Result) -> None:
        """Take the result, on the delivery thread."""
        self._mailbox.put(self._settle, result)

    def _settle(self, result: Result) -> None:
        self._result = result
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def is_done(self) -> bool:
        """Check if it has ended."""
        return self._result is not None

    def withdraw(self) -> None:
        """Withdraw it. A task that a worker has taken up ends by itself and frees its values."""
        if self._result is None and self._executor.cancel(self._identifier):
            self._request.ended(None)

    def outputs(self) -> Results:
        """Return all outputs; it must have ended.

        Raises:
            RknnError: it failed.
        """
        assert self._result is not None
        if self._result.code < 0:
            raise self._executor.failure(self._result)
        return self._request.arrays

    async def ended(self) -> Results:
        """Wait for the end and return all outputs; other coroutines run meanwhile. If this is cancelled, so is it."""
        if self._result is None:
            import asyncio

            self.waiter = asyncio.get_running_loop().create_future()
            try:
                await self.waiter
            except BaseException:
                self.withdraw()  # cancelled, or dropped with its loop
                raise
        return self.outputs()
