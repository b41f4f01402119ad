# SPDX-License-Identifier: Apache-2.0
"""One inference awaited by a coroutine: without a thread, without polling, and cancellable."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Callable

from .retry import retried

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterable, Awaitable, Iterable

    import numpy.typing as npt

    from .._runtime.task import Result
    from .._tensors.outputs import Choice
    from .._transport.request import Request
    from .async_stream import AsyncStream
    from .executor import Executor


async def run(executor: Executor, request: Request) -> list[npt.NDArray[Any]]:
    """Run a request and return all outputs; other coroutines run meanwhile.

    Raises:
        RknnTimeoutError: no place in the queue in time, or the run took too long.
        RknnError: the runtime failed.
    """
    import asyncio  # not above: it takes longer than the rest of the package, and few programs need it

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Result] = loop.create_future()

    def receive(_: Request, result: Result) -> None:
        # A loop that was closed meanwhile refuses the call, and no one waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, ended, result)

    try:
        identifier = await executor.submit_awaitable(request, receive)
    except BaseException:
        request.ended(None)  # it was not accepted
        raise
    try:
        result = await ended
    except BaseException:
        # Cancelled, or dropped with its loop. A task that a worker has taken up ends by itself and frees its values.
        if executor.cancel(identifier):
            request.ended(None)
        raise
    if result.code < 0:
        raise executor.failure(result)
    return request.arrays


@retried
async def run_feed(session: Any, feed: list[npt.NDArray[Any]], choice: Choice) -> list[npt.NDArray[Any]]:
    """Run one inference of a session on a feed that nothing else uses; see :func:`run`."""
    executor: Executor = session._deployment.executor
    return await run(executor, executor.request(feed, private=False, choice=choice))


def stream(
    feeds: Iterable[Any] | AsyncIterable[Any],
    run_one: Callable[[Any], Awaitable[list[npt.NDArray[Any]]]],
    *,
    depth: int,
    ordered: bool,
) -> AsyncStream:
    """Make a stream for coroutines; see :class:`.AsyncStream`."""
    from .async_stream import AsyncStream

    return AsyncStream(feeds, run_one, depth=depth, ordered=ordered)


def _settle(ended: asyncio.Future[Result], result: Result) -> None:
    if not ended.done():
        ended.set_result(result)
