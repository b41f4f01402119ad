# SPDX-License-Identifier: Apache-2.0
"""Runs that take too long, interruptions, pacing, and dispatch to free cores."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest

from ez_rknn_async import RknnTimeoutError

from .conftest import AlarmError, OpenSession, feed_of
from .test_running import Collector

HANGING = "compute=off,fault=rknn_run#1:hang"


def test_a_signal_handler_that_raises_ends_run_at_once(
    open_session: OpenSession, alarm: Callable[[float], None], release_hangs: Callable[[], None]
) -> None:
    """Ctrl-C: the library that this one replaces saw it only when the inference had ended."""
    session = open_session(simulator=HANGING, schedule=0)
    feed = feed_of(session)
    alarm(0.05)
    with pytest.raises(AlarmError):
        session.run(None, feed)
    assert session.stats.cores["0"].completed == 0
    release_hangs()
    session.close()
    assert session.stats.cores["0"].completed == 1


def test_a_run_that_was_interrupted_in_the_queue_does_not_run(
    open_session: OpenSession, alarm: Callable[[float], None], release_hangs: Callable[[], None]
) -> None:
    """No one waits for it any more."""
    session = open_session(simulator=HANGING, schedule=0)
    feed = feed_of(session)
    first = session.submit(feed)
    while session.stats.cores["0"].running == 0:
        threading.Event().wait(0.001)
    alarm(0.05)
    with pytest.raises(AlarmError):
        session.run(None, feed)
    release_hangs()
    assert len(first.result(60)) == 1
    session.close()
    assert session.stats.cores["0"].completed == 1


def test_a_run_that_takes_too_long_fails_and_the_other_core_goes_on(open_session: OpenSession) -> None:
    """The worker is set aside, a fresh one takes its place, and the statistics show it."""
    session = open_session(
        simulator="compute=off,timing=fixed:1000,slowdown=0:600", schedule=[0, 1], run_timeout_ms=100
    )
    stuck, fine = session.submit(feed_of(session)), session.submit(feed_of(session))
    with pytest.raises(RknnTimeoutError) as caught:
        stuck.result(60)
    assert isinstance(caught.value, TimeoutError)
    assert len(fine.result(60)) == 1
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))  # core 0 again: its fresh worker is as slow
    assert len(session.run(None, feed_of(session))) == 1
    assert session.stats.cores["0"].stalled == 2
    assert session.stats.cores["1"].stalled == 0
    session.close()


def test_a_session_with_a_stuck_worker_ends(open_session: OpenSession) -> None:
    """It waits a second and then leaves the thread behind, rather than hang."""
    session = open_session(simulator="compute=off,timing=fixed:4000000", schedule=0, run_timeout_ms=50)
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))
    closing = threading.Thread(target=session.close)
    closing.start()
    closing.join(30)
    assert not closing.is_alive()


def test_least_loaded_gives_tasks_to_free_cores(open_session: OpenSession) -> None:
    """A core ten times slower than the others gets a tenth of their share, not a third of the whole."""
    session = open_session(
        simulator="compute=off,timing=fixed:2000,slowdown=0:10",
        schedule=[0, 1, 2],
        dispatch="least_loaded",
        sequential_callbacks=False,
    )
    collector = Collector(63)
    for number in range(63):
        session.run_async(None, feed_of(session), collector, number)
    collector.wait()
    cores = session.stats.cores
    assert cores["0"].completed < 63 / 5
    assert cores["1"].completed > 63 / 4
    assert cores["2"].completed > 63 / 4


def test_pacing_admits_at_the_rate_of_the_cores_and_delivers_everything(open_session: OpenSession) -> None:
    """Queues stay short, so that results are fresh."""
    session = open_session(
        simulator="compute=off,timing=fixed:5000", schedule=[0, 1], enable_pacing=True, max_queue_size=50
    )
    session.run(None, feed_of(session))  # until one has ended, their rate is unknown
    collector, deepest = Collector(30), 0
    for number in range(30):
        session.run_async(None, feed_of(session), collector, number)
        deepest = max(deepest, sum(core.queued for core in session.stats.cores.values()))
    assert [user_data for _, user_data, _ in collector.wait()] == list(range(30))
    assert deepest < 10


def test_the_statistics_count_tasks_and_times(open_session: OpenSession) -> None:
    """They are per core and per stage, and readable after the end."""
    session = open_session(simulator="compute=off,timing=fixed:2000", schedule=[0, 0, 1])
    collector = Collector(30)
    for number in range(30):
        session.run_async(None, feed_of(session), collector, number)
    collector.wait()
    session.close()
    stats: Any = session.stats
    assert {core: s.completed for core, s in stats.cores.items()} == {"0": 20, "1": 10}
    assert stats.latency["npu"].count == 30
    assert stats.latency["npu"].p50 * 1.06 >= 2.0
    assert stats.latency["queue"].p50 <= stats.latency["total"].p50
    assert stats.latency["npu"].p50 <= stats.latency["npu"].p99 <= stats.latency["npu"].max * 1.06
    assert 0 < stats.cores["0"].utilization <= 1.05
    assert stats.memory["weights"] > 0
