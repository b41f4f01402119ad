# SPDX-License-Identifier: Apache-2.0
"""A runtime that hangs while it loads a model, or while it destroys a context."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    RknnDeviceError,
    RknnTimeoutError,
    make_provider_options,
)
from ez_rknn_async._runtime.timeouts import within

from .conftest import AlarmError, OpenSession, feed_of
from .test_exchange import in_thread, wait_until

LOADING = [
    "rknn_init#1",
    "rknn_dup_context#1",
    "rknn_set_core_mask#2",
    "rknn_query#1",
    "rknn_create_mem2#1",
    "rknn_set_io_mem#1",
]


# For sessions that are opened before anything hangs, also on a busy machine.
AMPLE_MS = 1000


@pytest.fixture
def contexts_are_back(living_contexts: Callable[[], int]) -> Callable[[], None]:
    """Waits for abandoned threads; then as many contexts exist as when the test began."""
    before = living_contexts()

    def wait() -> None:
        for thread in threading.enumerate():
            if thread.name in ("ez-rknn-job", "ez-rknn-replace"):
                thread.join(60)
        wait_until(lambda: living_contexts() == before)

    return wait


def hanging(fault: str) -> dict[str, Any]:
    return {"compute": "off", "fault": f"{fault}:hang"}


# ---- Loading ----


@pytest.mark.parametrize("fault", LOADING)
def test_a_constructor_gives_up_in_time(
    open_session: OpenSession, fault: str, contexts_are_back: Callable[[], None], release_hangs: Callable[[], None]
) -> None:
    """Any of its calls may hang; other sessions are unaffected, and late contexts are destroyed."""
    with pytest.raises(RknnTimeoutError, match="loading the model took longer than 50 ms"):
        open_session(simulator=hanging(fault), schedule=[0, 1], load_timeout_ms=50)
    other = open_session(schedule=[0, 1])
    assert len(other.run(None, feed_of(other))) == 1
    other.close()
    release_hangs()
    contexts_are_back()


@pytest.mark.parametrize("load_timeout_ms", [0, 60_000])
def test_a_constructor_can_be_interrupted(
    open_session: OpenSession,
    alarm: Callable[[float], None],
    load_timeout_ms: int,
    calls_of: Callable[[str], int],
    contexts_are_back: Callable[[], None],
    release_hangs: Callable[[], None],
) -> None:
    """Ctrl-C is seen at once, with a limit and without."""
    loaded = calls_of("rknn_init")

    def interrupt() -> None:
        wait_until(lambda: calls_of("rknn_init") > loaded)
        alarm(0)

    interrupting = in_thread(interrupt)
    with pytest.raises(AlarmError):
        open_session(simulator=hanging("rknn_init#1"), load_timeout_ms=load_timeout_ms)
    interrupting.result(60)
    release_hangs()
    contexts_are_back()


def test_a_time_limit_does_not_change_a_fast_constructor(open_session: OpenSession) -> None:
    """This holds on another thread too, and no thread stays but the session's."""
    threads = threading.active_count()
    assert in_thread(lambda: open_session(load_timeout_ms=60_000)).result(60).health.ok
    assert open_session(load_timeout_ms=60_000).health.ok
    wait_until(lambda: threading.active_count() <= threads)


def test_a_reset_that_gives_up_leaves_the_session_unchanged(
    open_session: OpenSession, release_hangs: Callable[[], None], contexts_are_back: Callable[[], None]
) -> None:
    """A service retries later."""
    simulator = {**hanging("rknn_init#2"), "counter": "a reset that gives up"}
    session = open_session(simulator=simulator, load_timeout_ms=AMPLE_MS)
    with pytest.raises(RknnTimeoutError, match="loading the model"):
        session.reset()
    assert session.health.ok
    assert len(session.run(None, feed_of(session))) == 1
    release_hangs()
    session.reset()
    session.close()
    contexts_are_back()


def test_a_lender_waits_for_possible_readers_of_its_weights(
    data: Path, contexts_are_back: Callable[[], None], release_hangs: Callable[[], None], living_contexts: Any
) -> None:
    """An abandoned borrower may be inside the runtime with them."""
    options = make_provider_options(runtime_library="simulator", simulator="compute=off")
    borrowing = make_provider_options(runtime_library="simulator", simulator=hanging("rknn_init#1"), load_timeout_ms=50)
    before = living_contexts()
    with (
        InferenceSession(data / "tiny_conv_fp16.rknn", provider_options=options) as master,
        pytest.raises(RknnTimeoutError),
    ):
        InferenceSession(data / "without_weights_fp16.rknn", provider_options=borrowing, use_weight_from=master)
    assert living_contexts() == before + 1
    release_hangs()
    contexts_are_back()


# ---- Contexts that are opened later ----


def test_gives_up_in_time_on_contexts_for_another_way(
    open_session: OpenSession, release_hangs: Callable[[], None], contexts_are_back: Callable[[], None]
) -> None:
    """The run that needed them fails; other runs go on, and close() does not wait for them."""
    session = open_session(simulator=hanging("rknn_init#2"), load_timeout_ms=AMPLE_MS)
    floats = feed_of(session)
    pixels = {name: np.zeros(array.shape, np.uint8) for name, array in floats.items()}
    assert len(session.run(None, floats)) == 1
    with pytest.raises(RknnTimeoutError, match="opening contexts took longer than 1000 ms"):
        session.run(None, pixels)
    assert len(session.run(None, floats)) == 1
    session.close()
    release_hangs()
    contexts_are_back()


def test_closing_does_not_wait_for_contexts_that_are_being_opened(
    open_session: OpenSession,
    calls_of: Callable[[str], int],
    release_hangs: Callable[[], None],
    contexts_are_back: Callable[[], None],
) -> None:
    """This holds without a limit too; a run that waits for them fails then, and they are destroyed before those
    whose weights they have."""
    loaded = calls_of("rknn_init")
    session = open_session(simulator=hanging("rknn_init#2"))
    floats = feed_of(session)
    pixels = {name: np.zeros(array.shape, np.uint8) for name, array in floats.items()}
    session.run(None, floats)
    waiting = in_thread(lambda: session.run(None, pixels))
    wait_until(lambda: calls_of("rknn_init") == loaded + 2)
    session.close()
    assert not waiting.done()
    release_hangs()
    with pytest.raises(RuntimeError, match="the session is closed"):
        waiting.result(60)
    contexts_are_back()


def test_gives_up_on_a_replacement_that_does_not_come(
    open_session: OpenSession, release_hangs: Callable[[], None], contexts_are_back: Callable[[], None]
) -> None:
    """Tasks waiting for it fail with a clear error, in finite time; a late one is destroyed at the end."""
    session = open_session(
        simulator={"compute": "off", "fault": ["rknn_run@core0#1:hang", "rknn_init#2:hang"]},
        schedule=[0, 1],
        run_timeout_ms=50,
        load_timeout_ms=AMPLE_MS,
    )
    feed = feed_of(session)
    futures = [session.submit(feed) for _ in range(4)]
    assert isinstance(futures[0].exception(60), RknnTimeoutError)
    assert isinstance(futures[2].exception(60), RknnDeviceError)
    assert [len(futures[index].result(60)) for index in (1, 3)] == [1, 1]
    assert [worker.state for worker in session.health.workers] == ["lost", "ready"]
    release_hangs()
    session.close()
    contexts_are_back()


# ---- The end ----


def test_closing_gives_up_in_time(
    open_session: OpenSession,
    release_hangs: Callable[[], None],
    contexts_are_back: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Accepted work has been delivered by then; the log says that contexts are lost."""
    session = open_session(simulator=hanging("rknn_destroy#3"), schedule=[0, 1], load_timeout_ms=AMPLE_MS)
    future = session.submit(feed_of(session))
    with caplog.at_level(logging.ERROR, "ez_rknn_async"):
        session.close()
    assert len(future.result(0)) == 1
    assert "giving contexts back took longer than 1000 ms" in caplog.text
    session.close()
    release_hangs()
    contexts_are_back()


@pytest.mark.parametrize("fault", ["rknn_destroy#2", "rknn_run#1"])
def test_closing_can_be_interrupted(
    open_session: OpenSession,
    alarm: Callable[[float], None],
    fault: str,
    calls_of: Callable[[str], int],
    release_hangs: Callable[[], None],
) -> None:
    """Ctrl-C ends a program whose NPU hangs: the first in run(), the second in the close() of its with block."""
    session = open_session(simulator=hanging(fault))
    feed, runs = feed_of(session), calls_of("rknn_run")
    session.submit(feed)
    wait_until(lambda: calls_of("rknn_run") > runs)

    def close() -> None:
        alarm(0.05)
        session.close()

    with pytest.raises(AlarmError):
        close()
    release_hangs()


# ---- The thread behind a time limit ----


def unexpected(result: object) -> None:
    """Refuse to undo work that was in time."""
    pytest.fail(f"undid {result!r}")


def test_work_in_time_gives_its_result_or_its_exception() -> None:
    """The caller need not know that another thread did it."""
    assert within(60_000, "work", lambda: 42, unexpected) == 42
    with pytest.raises(ZeroDivisionError):
        within(60_000, "work", lambda: 1 // 0, unexpected)


def test_late_work_is_undone_and_a_late_exception_forgotten() -> None:
    """Its own thread does it, because no one waits for it any more."""
    go, undone = threading.Event(), threading.Event()

    def late() -> str:
        go.wait()
        return "late"

    with pytest.raises(RknnTimeoutError):
        within(10, "work", late, lambda result: undone.set() if result == "late" else None)
    with pytest.raises(RknnTimeoutError):
        within(10, "work", lambda: go.wait() and 1 // 0, unexpected)
    assert not undone.is_set()
    go.set()
    assert undone.wait(60)


def test_works_on_the_callers_thread_if_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """None can at the end of the interpreter."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert within(10, "work", threading.current_thread, unexpected) is threading.current_thread()
