# SPDX-License-Identifier: Apache-2.0
"""``map_awaitable``: a bounded, lazy stream of inferences for coroutines; see :mod:`.streams`."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING, Any, Callable

from .._host.process_bound import ProcessBound
from .._tensors.outputs import selected

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Coroutine, Iterable, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from .inference import Inference

    Results = list[npt.NDArray[Any]]


class _Later:
    """An inference that waits for room in the queue, or a source of feeds that has failed: an :class:`.Inference`."""

    __slots__ = ("_outcome", "waiter")

    def __init__(self, outcome: asyncio.Future[Results]) -> None:
        self._outcome = outcome
        self.waiter: asyncio.Future[None] | None = None
        outcome.add_done_callback(self._wake)

    def _wake(self, _: object) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def is_done(self) -> bool:
        return self._outcome.done()

    def withdraw(self) -> None:
        self._outcome.cancel()

    def outputs(self) -> Results:
        return self._outcome.result()


class AsyncStream(ProcessBound):
    """:class:`Stream` for coroutines: ``async for results in session.map_awaitable(feeds)``."""

    def __init__(
        self,
        feeds: Iterable[Any] | AsyncIterable[Any],
        start: Callable[[Any], Inference | None],
        run: Callable[[Any], Coroutine[Any, Any, Results]],
        wanted: Sequence[int] | None,
        *,
        depth: int,
        ordered: bool,
    ) -> None:
        """Run inferences: ``start`` begins one if there is room in the queue, ``run`` waits for room."""
        self._feeds = feeds.__aiter__() if hasattr(feeds, "__aiter__") else _asynchronous(feeds)
        self._start, self._run, self._wanted = start, run, wanted
        self._depth = depth
        self._ordered = ordered
        self._window: collections.deque[Inference | _Later] = collections.deque()
        self._fed = False

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> Results:
        # At least one, so that as many go in as come out; more only while no result is ready.
        while not self._fed and len(self._window) < self._depth:
            await self._feed_one()
            if self._first_done() is not None:
                break
        if not self._window:
            raise StopAsyncIteration
        first = self._first_done()
        while first is None:
            await self._progress()
            first = self._first_done()
        self._window.remove(first)
        outputs = first.outputs()
        return outputs if isinstance(first, _Later) else selected(outputs, self._wanted)

    async def aclose(self) -> None:
        """Submit no more and cancel what is under way; the session stays usable."""
        self._fed = True
        window, self._window = self._window, collections.deque()
        for inference in window:
            inference.withdraw()
        # Those that wait for room leave the line now.
        await asyncio.gather(*(later._outcome for later in window if isinstance(later, _Later)), return_exceptions=True)

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _candidates(self) -> Iterable[Inference | _Later]:
        return tuple(self._window)[:1] if self._ordered else self._window

    def _first_done(self) -> Inference | _Later | None:
        if self._ordered:
            return self._window[0] if self._window and self._window[0].is_done() else None
        return next((inference for inference in self._window if inference.is_done()), None)

    async def _progress(self) -> None:
        """Wait until one of those that may come next has ended. If this is cancelled, they go on."""
        waiter = asyncio.get_running_loop().create_future()
        for inference in self._candidates():
            inference.waiter = waiter
        await waiter

    async def _feed_one(self) -> None:
        try:
            feed = await self._feeds.__anext__()
        except StopAsyncIteration:
            self._fed = True
            return
        except Exception as error:
            self._fed = True
            self._window.append(_Later(_failed(error)))
            return
        try:
            started = self._start(feed)
        except Exception as error:
            self._window.append(_Later(_failed(error)))
            return
        self._window.append(_Later(asyncio.ensure_future(self._run(feed))) if started is None else started)


def _failed(error: Exception) -> asyncio.Future[Results]:
    failed: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
    failed.set_exception(error)
    return failed


async def _asynchronous(feeds: Iterable[Any]) -> Any:
    for feed in feeds:
        yield feed
