# SPDX-License-Identifier: Apache-2.0
"""``map_awaitable``: a bounded, lazy stream of inferences for coroutines; see :mod:`.streams`."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING, Any, Callable

from .._host.process_bound import ProcessBound

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Iterable
    from types import TracebackType

    import numpy.typing as npt

    Results = list[npt.NDArray[Any]]


class AsyncStream(ProcessBound):
    """:class:`Stream` for coroutines: ``async for results in session.map_awaitable(feeds)``."""

    def __init__(
        self,
        feeds: Iterable[Any] | AsyncIterable[Any],
        run: Callable[[Any], Awaitable[Results]],
        *,
        depth: int,
        ordered: bool,
    ) -> None:
        self._feeds = feeds.__aiter__() if hasattr(feeds, "__aiter__") else _asynchronous(feeds)
        self._run = run
        self._depth = depth
        self._ordered = ordered
        self._window: collections.deque[asyncio.Future[Results]] = collections.deque()
        self._fed = False

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> Results:
        # At least one, so that as many go in as come out; more only while no result is ready.
        while not self._fed and len(self._window) < self._depth:
            await self._feed_one()
            if self._has_result():
                break
        if not self._window:
            raise StopAsyncIteration
        candidates = [self._window[0]] if self._ordered else self._window
        done, _ = await asyncio.wait(candidates, return_when=asyncio.FIRST_COMPLETED)
        task = next(t for t in self._window if t in done)
        self._window.remove(task)
        return task.result()

    async def aclose(self) -> None:
        """Submit no more and cancel what is under way; the session stays usable."""
        self._fed = True
        tasks = list(self._window)
        self._window.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _has_result(self) -> bool:
        return any(task.done() for task in (list(self._window)[:1] if self._ordered else self._window))

    async def _feed_one(self) -> None:
        try:
            feed = await self._feeds.__anext__()
        except StopAsyncIteration:
            self._fed = True
            return
        except Exception as error:
            self._fed = True
            failed: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            self._window.append(failed)
            return
        self._window.append(asyncio.ensure_future(self._run(feed)))


async def _asynchronous(feeds: Iterable[Any]) -> Any:
    for feed in feeds:
        yield feed
