# SPDX-License-Identifier: Apache-2.0
"""submit(): futures that follow the standard library."""

from __future__ import annotations

import concurrent.futures
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import RknnTimeoutError

from .conftest import OpenSession, feed_of

BUSY = "compute=off,timing=fixed:300000"


def test_a_futures_result_equals_that_of_run(open_session: OpenSession) -> None:
    """They are the same numbers in every way."""
    session = open_session("two_inputs_int8", simulator="compute=on")
    feed = feed_of(session)
    expected = session.run(None, feed)
    future = session.submit(feed)
    assert isinstance(future, concurrent.futures.Future)
    assert all(np.array_equal(a, b) for a, b in zip(future.result(60), expected))
    second = session.output_names[1]
    assert np.array_equal(session.submit(feed, [second]).result(60)[0], expected[1])


def test_a_future_knows_its_tasks_number(open_session: OpenSession) -> None:
    """Profiles use it, and it determines the core; run() and callbacks are counted too."""
    session = open_session(schedule=[0, 1, 2])
    futures = [session.submit(feed_of(session)) for _ in range(3)]
    session.run(None, feed_of(session))
    futures.append(session.submit(feed_of(session)))
    assert [future.task_id for future in futures] == [0, 1, 2, 4]


def test_a_future_that_has_ended_does_not_keep_its_inputs(open_session: OpenSession) -> None:
    """A caller keeps futures for their outputs; private copies of the inputs would soon fill the memory."""
    session = open_session("snippet", simulator="compute=off")
    feed = feed_of(session)
    frame = sum(array.nbytes for array in feed.values())
    futures = [session.submit(feed) for _ in range(4)]  # warm up everything that is created once
    concurrent.futures.wait(futures)
    tracemalloc.start()
    try:
        futures += [session.submit(feed) for _ in range(8)]
        concurrent.futures.wait(futures)
        session.close()  # the last delivery is over
        assert tracemalloc.get_traced_memory()[0] < frame
    finally:
        tracemalloc.stop()


def test_wait_and_as_completed_understand_the_futures(open_session: OpenSession) -> None:
    """They look into futures by the standard library's own protocol."""
    session = open_session(schedule=[0, 1, 2])
    futures = [session.submit(feed_of(session)) for _ in range(9)]
    assert set(concurrent.futures.as_completed(futures, timeout=60)) == set(futures)
    assert concurrent.futures.wait(futures, timeout=60).not_done == set()


def test_a_queued_future_can_be_cancelled_and_its_task_does_not_run(open_session: OpenSession) -> None:
    """A worker has the first task already; the second is withdrawn."""
    session = open_session(simulator=BUSY, schedule=0)
    running, queued = session.submit(feed_of(session)), session.submit(feed_of(session))
    told: list[Any] = []
    queued.add_done_callback(told.append)
    assert queued.cancel()
    assert queued.cancelled()
    assert queued.cancel()
    assert told == [queued]
    assert concurrent.futures.wait([queued], timeout=60).done == {queued}
    with pytest.raises(concurrent.futures.CancelledError):
        queued.result()
    assert len(running.result(60)) == 1
    assert not running.cancel()
    session.close()
    assert session.stats.cores["0"].completed == 1
    assert session.stats.cores["0"].cancelled == 1


def test_a_running_future_cannot_be_cancelled(open_session: OpenSession) -> None:
    """The NPU cannot be interrupted."""
    session = open_session(simulator=BUSY, schedule=0)
    future = session.submit(feed_of(session))
    while session.stats.cores["0"].running == 0:
        threading.Event().wait(0.001)
    assert not future.cancel()
    assert len(future.result(60)) == 1


def test_futures_do_not_wait_for_earlier_callbacks(open_session: OpenSession) -> None:
    """Only run_async promises an order."""
    session = open_session(schedule=[0, 1], simulator="compute=off,timing=fixed:1000,slowdown=0:300")
    order: list[str] = []
    slow = session.submit(feed_of(session))
    slow.add_done_callback(lambda _: order.append("core 0"))
    quick = session.submit(feed_of(session))
    quick.add_done_callback(lambda _: order.append("core 1"))
    concurrent.futures.wait([slow, quick], timeout=60)
    session.close()
    assert order == ["core 1", "core 0"]


def test_a_full_queue_refuses_within_the_given_timeout(open_session: OpenSession) -> None:
    """timeout=0 asks without waiting."""
    session = open_session(simulator=BUSY, schedule=0, max_queue_size=1)
    futures = [session.submit(feed_of(session)) for _ in range(2)]
    with pytest.raises(RknnTimeoutError):
        session.submit(feed_of(session), timeout=0)
    with pytest.raises(TimeoutError):
        session.submit(feed_of(session), timeout=0.01)
    assert concurrent.futures.wait(futures, timeout=60).not_done == set()


def test_refuses_a_wrong_feed_at_once(open_session: OpenSession) -> None:
    """Later, in the future, the stack of the caller would be gone."""
    with pytest.raises(ValueError, match="lacks input"):
        open_session().submit({})
