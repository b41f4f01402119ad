# SPDX-License-Identifier: Apache-2.0
"""await: no thread per call, no polling, and cancellation works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnTimeoutError

from .conftest import OpenSession, feed_of

BUSY = "compute=off,timing=fixed:300000"


def test_awaited_results_equal_those_of_run(open_session: OpenSession) -> None:
    """They are the same numbers, by name and in order."""
    session = open_session("two_inputs_int8", simulator="compute=on")
    expected = session.run(None, feed_of(session))

    async def main() -> Any:
        second, first = reversed(session.output_names), session.output_names[0]
        return await session.run_awaitable([*second, first], feed_of(session))

    got = asyncio.run(main())
    for output, wanted in zip(got, (expected[1], expected[0], expected[0])):
        assert np.array_equal(output, wanted)


def test_many_coroutines_share_the_cores_without_threads(open_session: OpenSession) -> None:
    """Far more than fit the queue are started: the rest stand in line, and no thread is started for them."""
    session = open_session(schedule=[0, 1, 2], simulator="compute=off,timing=fixed:500")
    feed = feed_of(session)

    async def main() -> int:
        await session.run_awaitable(None, feed)
        threads = threading.active_count()
        results = asyncio.gather(*(session.run_awaitable(None, feed) for _ in range(200)))
        assert threading.active_count() == threads
        return len(await results)

    assert asyncio.run(main()) == 200


def test_the_loop_keeps_running_while_the_queue_is_full(open_session: OpenSession) -> None:
    """A blocked event loop would stop the whole service."""
    session = open_session(simulator="compute=off,timing=fixed:100000", schedule=0, max_queue_size=1)

    async def main() -> int:
        work = asyncio.gather(*(session.run_awaitable(None, feed_of(session)) for _ in range(4)))
        turns = 0
        while not work.done():
            turns += 1
            await asyncio.sleep(0.005)
        await work
        return turns

    assert asyncio.run(main()) > 20


def test_cancelling_withdraws_a_queued_task(open_session: OpenSession) -> None:
    """The NPU's time would be wasted on it."""
    session = open_session(simulator=BUSY, schedule=0)

    async def main() -> None:
        running = asyncio.ensure_future(session.run_awaitable(None, feed_of(session)))
        queued = asyncio.ensure_future(session.run_awaitable(None, feed_of(session)))
        await asyncio.sleep(0)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        assert len(await running) == 1

    asyncio.run(main())
    session.close()
    assert session.stats.cores["0"].completed == 1
    assert session.stats.cores["0"].cancelled == 1


def test_cancelling_in_line_admits_the_next_coroutine(open_session: OpenSession) -> None:
    """The cancelled one may have been told of the room."""
    session = open_session(simulator="compute=off,timing=fixed:20000", schedule=0, max_queue_size=1)

    async def main() -> int:
        work = [asyncio.ensure_future(session.run_awaitable(None, feed_of(session))) for _ in range(12)]
        await asyncio.sleep(0)
        for task in work[2::3]:
            task.cancel()
        ended = await asyncio.gather(*work, return_exceptions=True)
        return sum(isinstance(e, list) for e in ended)

    assert asyncio.run(main()) == 8


def test_a_line_that_does_not_move_times_out(open_session: OpenSession) -> None:
    """submit_timeout_ms holds for coroutines too."""
    session = open_session(simulator=BUSY, schedule=0, max_queue_size=1, submit_timeout_ms=30)

    async def main() -> list[Any]:
        return await asyncio.gather(
            *(session.run_awaitable(None, feed_of(session)) for _ in range(3)), return_exceptions=True
        )

    ended = asyncio.run(main())
    assert [type(e) for e in ended] == [list, list, RknnTimeoutError]


def test_coroutines_in_line_are_served_while_threads_keep_the_queue_full(open_session: OpenSession) -> None:
    """Threads that call run() leave no completions behind, and yet the line must move."""
    session = open_session(simulator="compute=off,timing=fixed:1000", schedule=0, max_queue_size=1)
    feed, stop = feed_of(session), threading.Event()

    def hog() -> None:
        while not stop.is_set():
            session.run(None, feed)

    hogs = [threading.Thread(target=hog) for _ in range(4)]
    for thread in hogs:
        thread.start()

    async def main() -> int:
        return len(await asyncio.gather(*(session.run_awaitable(None, feed) for _ in range(5))))

    try:
        assert asyncio.run(main()) == 5
    finally:
        stop.set()
        for thread in hogs:
            thread.join()


def test_several_loops_in_several_threads_share_a_session(open_session: OpenSession) -> None:
    """Each gets its own results on its own loop."""
    session = open_session(schedule=[0, 1, 2], simulator="compute=off,timing=fixed:500")
    done: list[int] = []

    def client() -> None:
        async def main() -> int:
            return len(await asyncio.gather(*(session.run_awaitable(None, feed_of(session)) for _ in range(30))))

        done.append(asyncio.run(main()))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [30] * 4


def test_works_on_uvloop(open_session: OpenSession) -> None:
    """It is tested if it is installed."""
    uvloop = pytest.importorskip("uvloop")
    session = open_session(schedule=[0, 1, 2], simulator="compute=off,timing=fixed:500")

    async def main() -> int:
        return len(await asyncio.gather(*(session.run_awaitable(None, feed_of(session)) for _ in range(50))))

    loop = uvloop.new_event_loop()
    try:
        assert loop.run_until_complete(main()) == 50
    finally:
        loop.close()


def test_a_closed_loop_does_not_affect_the_session(open_session: OpenSession) -> None:
    """Its results are dropped."""
    session = open_session(simulator=BUSY, schedule=0)
    loop = asyncio.new_event_loop()
    task = loop.create_task(session.run_awaitable(None, feed_of(session)))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert len(session.run(None, feed_of(session))) == 1
    task._log_destroy_pending = False  # type: ignore[attr-defined]


async def numbers(session: InferenceSession, count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        await asyncio.sleep(0)
        yield feed_of(session)


@pytest.mark.parametrize("ordered", [True, False])
def test_map_awaitable_streams_results(ordered: bool, open_session: OpenSession) -> None:
    """Its source may be asynchronous or plain."""
    session = open_session(schedule=[0, 1, 2])

    async def main() -> tuple[int, int]:
        first = [r async for r in session.map_awaitable(numbers(session, 20), ordered=ordered)]
        second = [r async for r in session.map_awaitable([feed_of(session)] * 20, ordered=ordered, depth=2)]
        return len(first), len(second)

    assert asyncio.run(main()) == (20, 20)


def test_leaving_map_awaitable_early_cancels_its_tasks(
    open_session: OpenSession,
) -> None:
    """The session stays usable, and nothing of the stream is left under way."""
    session = open_session(schedule=0, simulator="compute=off,timing=fixed:50000")

    async def main() -> None:
        async with session.map_awaitable([feed_of(session)] * 100, depth=3) as stream:
            async for _ in stream:
                break
        assert len(await session.run_awaitable(None, feed_of(session))) == 1

    asyncio.run(main())
    session.close()
    assert session.stats.cores["0"].completed < 6
