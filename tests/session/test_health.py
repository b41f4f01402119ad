# SPDX-License-Identifier: Apache-2.0
"""A device that fails, hangs or is lost: ``health`` reports it, and ``reset()`` restores the same session."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    RknnClosedError,
    RknnDeviceError,
    RknnError,
    RknnTimeoutError,
    make_provider_options,
)

from .conftest import OpenSession, feed_of
from .test_device_loss import kill_device
from .test_exchange import in_thread, wait_until
from .test_running import Collector
from .values import bound
from .ways import WAYS


def states(session: InferenceSession) -> dict[str, str]:
    """Return the states by core; the sessions here have one worker for each."""
    return {worker.cores: worker.state for worker in session.health.workers}


def test_a_working_session_is_healthy(open_session: OpenSession) -> None:
    """It is before its first inference and after it; every worker is listed."""
    session = open_session(schedule=[0, 2], threads_per_core=2)
    for _ in range(2):
        assert session.health.ok
        assert session.health.serving
        assert sorted(worker.cores for worker in session.health.workers) == ["0", "0", "2", "2"]
        assert all(worker.failures == 0 and worker.error is None for worker in session.health.workers)
        session.run(None, feed_of(session))


def test_a_closed_session_has_no_workers(open_session: OpenSession) -> None:
    """It is neither healthy nor serving, and stays closed."""
    session = open_session()
    session.close()
    assert session.health.workers == ()
    assert not session.health.ok
    assert not session.health.serving
    with pytest.raises(RknnClosedError):
        session.reset()


def test_reports_a_failure_until_the_next_success(open_session: OpenSession) -> None:
    """The worker that failed shows the exception that it raised."""
    session = open_session(simulator="compute=off,fault=rknn_run@core1#1:fail=-1", schedule=[0, 1])
    feed = feed_of(session)
    session.run(None, feed)
    with pytest.raises(RknnDeviceError):
        session.run(None, feed)
    assert states(session) == {"0": "ready", "1": "failing"}
    assert not session.health.ok
    assert session.health.serving
    (error,) = [worker.error for worker in session.health.workers if worker.error is not None]
    assert (type(error), error.code, error.call) == (RknnDeviceError, -1, "rknn_run")
    for _ in range(2):
        session.run(None, feed)
    assert session.health.ok


@pytest.mark.parametrize("way", sorted(WAYS))
def test_reset_restores_a_session_that_lost_its_device(open_session: OpenSession, way: str) -> None:
    """Accepted tasks fail with a clear error; after reset() every way to run gives the same numbers as before."""
    session = open_session(simulator="", schedule=[0, 1, 2], max_queue_size=20)
    feed = feed_of(session)
    (expected,) = session.run(None, feed)
    kill_device()
    outcomes = WAYS[way](session, feed, 6)
    assert len(outcomes) == (1 if way == "batch" else 6)
    for outcome in outcomes:
        assert "RKNN_ERR_DEVICE_UNAVAILABLE" in str(outcome)
    assert set(states(session).values()) == {"failing"}
    assert not session.health.serving
    assert [worker.error.code for worker in session.health.workers if worker.error is not None] == [-3] * 3
    session.reset()
    assert session.health.ok
    outcomes = WAYS[way](session, feed, 6)
    assert len(outcomes) == 6
    for outcome in outcomes:
        assert isinstance(outcome, list)
        assert np.array_equal(outcome[0], expected)


def test_answers_work_that_is_under_way_at_a_reset(open_session: OpenSession) -> None:
    """The contexts that accepted it fail it, while the fresh ones serve later tasks."""
    session = open_session(simulator="", schedule=[0, 1], max_queue_size=50)
    feed = feed_of(session)
    session.run(None, feed)
    kill_device()
    with pytest.raises(RknnDeviceError):  # from now on the runtime knows that it is gone
        session.run(None, feed)
    accepted = [session.submit(feed) for _ in range(30)]
    session.reset()
    for future in accepted:
        assert isinstance(future.exception(0), RknnDeviceError)
    assert len(session.run(None, feed)) == 1


def test_bindings_and_values_survive_the_loss_of_the_device(open_session: OpenSession) -> None:
    """Bound values stay bound."""
    session = open_session(simulator="", schedule=[0, 1])
    feed = feed_of(session)
    (expected,) = session.run(None, feed)
    binding = bound(session, feed)
    session.run_with_iobinding(binding)
    kill_device()
    with pytest.raises(RknnDeviceError):
        session.run_with_iobinding(binding)
    session.reset()
    for _ in range(2):
        session.run_with_iobinding(binding)
        assert np.array_equal(binding.get_outputs()[0].numpy(), expected)


def test_a_failed_reset_leaves_the_session_unchanged(
    open_session: OpenSession, living_contexts: Callable[[], int]
) -> None:
    """reset() passes the runtime's error on, and may be retried until it works."""
    faults = [f"rknn_init#{number}:fail=-3" for number in (2, 3)]
    session = open_session(simulator={"compute": "off", "fault": faults, "counter": "not yet"})
    feed, before = feed_of(session), living_contexts()
    for _ in range(2):
        with pytest.raises(RknnDeviceError) as caught:
            session.reset()
        assert (caught.value.code, caught.value.call) == (-3, "rknn_init")
        assert living_contexts() == before
        assert len(session.run(None, feed)) == 1
    session.reset()
    assert living_contexts() == before
    assert len(session.run(None, feed)) == 1


def hanging_on_core_1(open_session: OpenSession, then: str, counter: str) -> tuple[InferenceSession, dict[str, Any]]:
    """A session on two cores, the second of which has just hung; ``then`` is the fault of its next context."""
    faults = ["rknn_run@core1#1:hang", f"rknn_init#2:{then}"]
    session = open_session(
        simulator={"compute": "off", "fault": faults, "counter": counter}, schedule=[0, 1], run_timeout_ms=50
    )
    feed = feed_of(session)
    session.run(None, feed)
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed)
    return session, feed


def test_a_worker_that_hangs_is_set_aside_until_it_is_replaced(
    open_session: OpenSession, calls_of: Callable[[str], int], release_hangs: Callable[[], None]
) -> None:
    """The watchdog does that by itself; health shows its progress."""
    loaded = calls_of("rknn_init")
    session, feed = hanging_on_core_1(open_session, "hang", "set aside")
    wait_until(lambda: calls_of("rknn_init") > loaded + 1)
    assert states(session) == {"0": "ready", "1": "set aside"}
    (error,) = [worker.error for worker in session.health.workers if worker.error is not None]
    assert isinstance(error, RknnTimeoutError)
    release_hangs()
    wait_until(lambda: session.health.ok)
    assert [len(session.run(None, feed)) for _ in range(4)] == [1] * 4


def test_reset_restores_a_lost_worker(
    open_session: OpenSession, runs_by_core: Callable[[], list[int]], release_hangs: Callable[[], None]
) -> None:
    """It hung, and the runtime had no memory left to replace it; the other core served meanwhile."""
    session, feed = hanging_on_core_1(open_session, "fail=-4", "lost")
    wait_until(lambda: states(session)["1"] == "lost")
    for _ in range(4):
        session.run(None, feed)
    assert runs_by_core()[:2] == [5, 0]
    session.reset()
    assert session.health.ok
    for _ in range(4):
        session.run(None, feed)
    assert runs_by_core()[:2] == [7, 2]
    release_hangs()


@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_error_without_any_worker_says_what_to_do(
    open_session: OpenSession, way: str, release_hangs: Callable[[], None]
) -> None:
    """The session is not closed: its device was lost."""
    session = open_session(
        simulator={
            "compute": "off",
            "fault": ["rknn_run#1:hang", "rknn_init#2:fail=-4"],
            "counter": f"without any worker, {way}".replace(",", ""),
        },
        schedule=0,
        run_timeout_ms=50,
        max_queue_size=20,
    )
    feed = feed_of(session)
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed)
    wait_until(lambda: states(session) == {"0": "lost"})
    with pytest.raises(RknnDeviceError, match=r"every worker of the session hangs.*reset\(\)"):
        session.run_pipeline(feed) if way == "run_pipeline" else session.submit(feed)
    if way not in ("run_async", "submit", "run_pipeline"):  # which raise at the first call, as just seen
        for outcome in WAYS[way](session, feed, 3):
            assert "every worker of the session hangs inside the runtime" in str(outcome)
    release_hangs()
    session.reset()
    assert session.health.ok
    for outcome in WAYS[way](session, feed, 3):
        assert isinstance(outcome, list)


def test_resets_a_session_with_borrowed_weights_after_its_master(data: Path) -> None:
    """Its fresh contexts use the weights of the master's fresh ones."""
    options = make_provider_options(runtime_library="simulator")
    with (
        InferenceSession(data / "tiny_conv_fp16.rknn", provider_options=options) as master,
        InferenceSession(data / "without_weights_fp16.rknn", provider_options=options, use_weight_from=master) as slave,
    ):
        feed = feed_of(slave)
        (expected,) = slave.run(None, feed)
        kill_device()
        for session in (master, slave):
            with pytest.raises(RknnDeviceError):
                session.run(None, feed)
            session.reset()
        assert np.array_equal(slave.run(None, feed)[0], expected)
        assert len(master.run(None, feed)) == 1
        master.close()
        assert np.array_equal(slave.run(None, feed)[0], expected)
        with pytest.raises(RknnClosedError, match="use_weight_from is closed"):
            slave.reset()
        assert np.array_equal(slave.run(None, feed)[0], expected)


def test_callers_do_not_notice_a_reset(open_session: OpenSession) -> None:
    """A watching thread may call it at any time."""
    session = open_session(schedule=[0, 1])
    feed, stop = feed_of(session), threading.Event()

    def use() -> int:
        rounds = 0
        while not stop.is_set() or rounds == 0:
            assert len(session.run(None, feed)) == 1
            assert session.health.ok
            rounds += 1
        return rounds

    users = [in_thread(use) for _ in range(2)]
    for _ in range(4):
        session.reset()
    stop.set()
    assert all(user.result(60) > 0 for user in users)


def test_a_callback_may_reset_the_session(open_session: OpenSession) -> None:
    """A callback that learns of the loss may act at once: the call does not wait for its own thread."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:fail=-3,counter=in a callback")
    collector, feed = Collector(2), feed_of(session)

    def callback(results: Any, user_data: Any, error: str) -> None:
        if error:
            session.reset()
        collector(results, user_data, error)

    session.run_async(None, feed, callback, 0)
    while not collector.calls:
        threading.Event().wait(0.001)
    session.run_async(None, feed, callback, 1)
    first, second = collector.wait()
    assert first[0] is None
    assert second[0] is not None
    assert session.health.ok


def test_resets_leave_nothing_behind(open_session: OpenSession, living_contexts: Callable[[], int]) -> None:
    """A service may recover for years without leaking contexts, threads or descriptors."""
    session = open_session(schedule=[0, 1, 2])
    feed = feed_of(session)

    def resources() -> tuple[int, int, int]:
        return living_contexts(), len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    def use() -> None:
        session.submit(feed).result(60)
        session.reset()
        session.submit(feed).result(60)

    use()
    before = resources()
    for _ in range(20):
        use()
    wait_until(lambda: resources() == before)


def test_health_in_a_forked_child_is_an_error(open_session: OpenSession) -> None:
    """The workers are its parent's."""
    session = open_session()
    session._deployment.executor._pid = -1  # as seen from another process
    with pytest.raises(RknnError, match="before fork"):
        _ = session.health
    session._deployment.executor._pid = os.getpid()


def test_the_documented_loop_watches_a_session(open_session: OpenSession) -> None:
    """It is the loop of docs/how-to/recover.md, with a device that answers again at the third attempt."""
    faults: list[Any] = [f"rknn_init#{number}:fail=-3" for number in (2, 3)]
    session = open_session(
        simulator={"compute": "off", "fault": ["rknn_run#1:fail=-3", *faults], "counter": "a service"}
    )
    with pytest.raises(RknnDeviceError):
        session.run(None, feed_of(session))
    attempts = 0
    while not session.health.ok:
        attempts += 1
        try:
            session.reset()
        except RknnError:
            continue
    assert attempts == 3
    assert len(session.run(None, feed_of(session))) == 1
