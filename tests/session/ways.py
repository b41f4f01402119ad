# SPDX-License-Identifier: Apache-2.0
"""Every way to run, behind one signature, for claims that must hold for all of them.

A *way* gives ``count`` inferences to a session and returns one :data:`Outcome` for each, in the order of submission:
the outputs, the exception, or (``run_async``) the text that the callback got.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Callable, Union

import numpy as np
import numpy.typing as npt

from ez_rknn_async import InferenceSession, RknnError

from .test_running import Collector

Array = npt.NDArray[Any]
Outcome = Union["list[Array]", RknnError, str]
Way = Callable[[InferenceSession, Any, int], "list[Outcome]"]


def run(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    return [_attempt(lambda: session.run(None, feed)) for _ in range(count)]


def run_async(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    collector = Collector(count)
    for number in range(count):
        session.run_async(None, feed, collector, number)
    calls = collector.wait()
    assert [number for _, number, _ in calls] == list(range(count))
    return [results if results is not None else error for results, _, error in calls]


def submit(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    futures = [session.submit(feed) for _ in range(count)]
    return [_attempt(lambda f=future: f.result(60)) for future in futures]  # type: ignore[misc]


def stream(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    results = session.map(feed for _ in range(count))
    return [_attempt(lambda: next(results)) for _ in range(count)]


def awaitable(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    async def main() -> list[Any]:
        calls = (session.run_awaitable(None, feed) for _ in range(count))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    return asyncio.run(main())


def stream_awaitable(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    async def attempt(results: AsyncIterator[list[Array]]) -> Outcome:
        try:
            return await results.__anext__()
        except RknnError as error:
            return error

    async def main() -> list[Outcome]:
        results = session.map_awaitable([feed] * count)
        return [await attempt(results) for _ in range(count)]

    return asyncio.run(main())


def pipeline(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    """Return early from an error while draining: it comes before the outputs of the frames in front of it."""
    steps = [_attempt(lambda: session.run_pipeline(feed, depth=3) or []) for _ in range(count)]
    outcomes = [outcome for outcome in steps if outcome != []]
    while True:
        try:
            return [*outcomes, *session.drain_pipeline()]
        except RknnError as error:
            outcomes.append(error)


def batch(session: InferenceSession, feed: Any, count: int) -> list[Outcome]:
    """Run as one batch: if a sample fails all of it does, and the exception names the sample."""
    whole = {name: np.concatenate([array] * count) for name, array in feed.items()}
    joined = _attempt(lambda: session.run(None, whole, {"ztu_modelrt_dispatch_batch": True}))
    return [joined] if isinstance(joined, RknnError) else list(_split(joined, count))


WAYS: dict[str, Way] = {
    "run": run,
    "run_async": run_async,
    "submit": submit,
    "map": stream,
    "run_awaitable": awaitable,
    "map_awaitable": stream_awaitable,
    "run_pipeline": pipeline,
    "batch": batch,
}


def _attempt(call: Callable[[], list[Array]]) -> Outcome:
    try:
        return call()
    except RknnError as error:
        return error


def _split(joined: Any, count: int) -> Iterator[list[Array]]:
    for number in range(count):
        yield [np.split(array, count)[number] for array in joined]
