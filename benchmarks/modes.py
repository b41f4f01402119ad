# SPDX-License-Identifier: Apache-2.0
"""The ways to run, as loops over ``tasks`` inferences of one feed, which take all results.

They use only a session and the standard library, so that the library that this one replaces runs the very same loops
(its own process imports this file).
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable

Session = Any  # ours, or the other library's
Feed = dict[str, Any]
Loop = Callable[[Session, Feed, int], None]

CLIENTS = 8


def run(session: Session, feed: Feed, tasks: int) -> None:
    """Run one call after the other in one thread."""
    for _ in range(tasks):
        session.run(None, feed)


def run_and_read_stats(session: Session, feed: Feed, tasks: int) -> None:
    """Do the same and read the statistics after each call."""
    for _ in range(tasks):
        session.run(None, feed)
        _ = session.stats


def run_in_threads(session: Session, feed: Feed, tasks: int) -> None:
    """Call ``run`` in a loop in each of eight threads that share the session."""
    threads = [threading.Thread(target=run, args=(session, feed, tasks // CLIENTS)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_async(session: Session, feed: Feed, tasks: int) -> None:
    """Submit from one thread as fast as the queue allows; count in callbacks."""
    done, count = threading.Event(), 0

    def callback(_results: Any, _user_data: Any, error: str) -> None:
        nonlocal count
        if error:
            raise RuntimeError(error)
        count += 1
        if count == tasks:
            done.set()

    for _ in range(tasks):
        session.run_async(None, feed, callback)
    done.wait()


def run_pipeline(session: Session, feed: Feed, tasks: int) -> None:
    """Pass a frame in and take the frame of six calls before."""
    depth = 6
    for _ in range(tasks + depth):
        session.run_pipeline(feed, depth)


def submit(session: Session, feed: Feed, tasks: int) -> None:
    """Submit futures and wait for each in turn."""
    for future in [session.submit(feed) for _ in range(tasks)]:
        future.result()


def map_(session: Session, feed: Feed, tasks: int) -> None:
    """Map a stream of feeds to results in order."""
    for _ in session.map(feed for _ in range(tasks)):
        pass


def asyncio_(session: Session, feed: Feed, tasks: int) -> None:
    """Await one inference after the other in each of six coroutines."""

    async def client() -> None:
        for _ in range(tasks // 6):
            await session.run_awaitable(None, feed)

    async def clients() -> None:
        await asyncio.gather(*(client() for _ in range(6)))

    asyncio.run(clients())


def asyncio_stream(session: Session, feed: Feed, tasks: int) -> None:
    """Iterate over a stream of feeds in one coroutine."""

    async def consume() -> None:
        async for _ in session.map_awaitable(feed for _ in range(tasks)):
            pass

    asyncio.run(consume())


OURS: dict[str, Loop] = {
    "run_async": run_async,
    "submit": submit,
    "run_pipeline": run_pipeline,
    "map": map_,
    "asyncio": asyncio_,
    "run, 8 threads": run_in_threads,
}
# The loops that the other library supports too.
COMMON = ("run_async", "run_pipeline", "run, 8 threads")
