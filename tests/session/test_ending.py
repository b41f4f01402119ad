# SPDX-License-Identifier: Apache-2.0
"""Ends of sessions: closed, dropped, dropped in a callback, left open at exit, forked."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any, Callable

import pytest

from ez_rknn_async import InferenceSession, RknnClosedError, RknnError, make_provider_options

from .conftest import OpenSession, feed_of
from .test_exchange import in_thread
from .test_running import Collector
from .ways import WAYS

SLOW = "compute=off,timing=fixed:50000"


def test_close_delivers_what_was_accepted(open_session: OpenSession) -> None:
    """Every callback has been called when close() returns."""
    session, collector = open_session(simulator=SLOW, schedule=[0, 1]), Collector(4)
    for number in range(4):
        session.run_async(None, feed_of(session), collector, number)
    session.close()
    assert [user_data for _, user_data, _ in collector.calls] == [0, 1, 2, 3]


def test_close_can_cancel_tasks_that_no_worker_has_taken_up(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """Running tasks are delivered; a future is cancelled, a callback gets a text, a waiting caller an exception."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:hang", schedule=0, max_queue_size=10)
    feed, raised, collector = feed_of(session), list[RknnError](), Collector(1)

    def waits(call: Callable[[], Any]) -> threading.Thread:
        def body() -> None:
            with pytest.raises(RknnClosedError, match="closed with cancel=True before a worker took up") as caught:
                call()
            raised.append(caught.value)

        thread = threading.Thread(target=body)
        thread.start()
        return thread

    running = session.submit(feed)
    while session.stats.cores["0"].running == 0:
        threading.Event().wait(0.001)
    queued = session.submit(feed)
    session.run_async(None, feed, collector, 5)
    waiting = [
        waits(lambda: session.run(None, feed)),
        waits(lambda: asyncio.run(session.run_awaitable(None, feed))),
    ]
    while session.stats.cores["0"].queued < 4:
        threading.Event().wait(0.001)
    closing = threading.Thread(target=session.close, kwargs={"cancel": True})
    closing.start()
    for thread in waiting:
        thread.join(60)
    assert len(raised) == 2
    assert closing.is_alive()
    release_hangs()
    closing.join(60)
    assert len(running.result(60)) == 1
    assert queued.cancelled()
    assert concurrent.futures.wait([queued], timeout=60).done == {queued}
    ((results, number, error),) = collector.wait()
    assert (results, number) == (None, 5)
    assert "closed with cancel=True" in error
    assert session.stats.cores["0"].completed == 1
    session.close(cancel=True)


@pytest.mark.parametrize("way", ["map", "run_pipeline", "run_awaitable", "map_awaitable"])
def test_frames_that_are_not_run_fail_because_the_session_was_closed(
    open_session: OpenSession, release_hangs: Callable[[], None], way: str
) -> None:
    """Each fails by itself: the caller has never seen the futures that ``close(cancel=True)`` cancels."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:hang", schedule=0, max_queue_size=10)
    outcomes = in_thread(lambda: WAYS[way](session, feed_of(session), 3))
    while not (session.stats.cores["0"].running and session.stats.cores["0"].queued):
        threading.Event().wait(0.001)
    closing = in_thread(lambda: session.close(cancel=True))
    while session.stats.cores["0"].queued > 0:
        threading.Event().wait(0.001)
    release_hangs()
    closing.result(60)
    assert [type(outcome) for outcome in outcomes.result(60)].count(RknnClosedError) == 2
    assert [type(outcome) for outcome in outcomes.result(60)].count(list) == 1


def test_several_sessions_share_the_cores(open_session: OpenSession, runs_by_core: Callable[[], list[int]]) -> None:
    """Each has contexts of its own on each core; the failures of one do not affect the others."""
    sessions = [open_session(model, schedule=[0, 1, 2]) for model in ("tiny_conv_int8", "two_inputs_int8")]
    faulty = open_session(simulator="compute=off,fault=rknn_run:fail=-1", schedule=[0, 1, 2])
    futures = [session.submit(feed_of(session)) for _ in range(30) for session in sessions]
    for _ in range(3):
        with pytest.raises(RknnError):
            faulty.run(None, feed_of(faulty))
    assert concurrent.futures.wait(futures, timeout=60).not_done == set()
    assert all(future.exception() is None for future in futures)
    sessions[0].close()
    assert len(sessions[1].run(None, feed_of(sessions[1]))) == 2
    assert runs_by_core() == [21, 20, 20]


def test_a_closed_session_refuses_everything_but_its_description(open_session: OpenSession) -> None:
    """The model's description stays readable; everything that needs the NPU is refused."""
    session = open_session()
    feed = feed_of(session)
    session.close()
    session.close()
    calls: list[Callable[[], object]] = [
        lambda: session.run(None, feed),
        lambda: session.run_async(None, feed, print),
        lambda: session.run_pipeline(feed),
    ]
    for call in calls:
        with pytest.raises(RknnClosedError, match="closed"):
            call()
    assert session.get_inputs()


def test_a_with_block_closes_the_session(open_session: OpenSession) -> None:
    """Every Python user expects it."""
    with open_session() as session:
        feed = feed_of(session)
    with pytest.raises(RknnClosedError):
        session.run(None, feed)


def test_a_dropped_session_delivers_and_then_frees_everything(data: Path) -> None:
    """No close(), no with: losing the last reference is enough."""
    before = threading.active_count()
    options = make_provider_options(runtime_library="simulator", simulator=SLOW, schedule=[0, 1])
    session = InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options)
    collector = Collector(3)
    for _ in range(3):
        session.run_async(None, feed_of(session), collector)
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
    assert len(collector.calls) == 3
    assert threading.active_count() == before


def test_the_last_reference_may_go_inside_a_callback(data: Path) -> None:
    """The library that this one replaces leaked its threads and contexts here."""
    options = make_provider_options(runtime_library="simulator", simulator=SLOW)
    holder = [InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options)]
    dispatcher: list[threading.Thread] = []

    def drop(_results: Any, _user_data: Any, _error: str) -> None:
        dispatcher.append(threading.current_thread())
        holder.clear()

    feed = feed_of(holder[0])
    holder[0].run_async(None, feed, drop)
    while not dispatcher:
        gone = [t for t in threading.enumerate() if t.name == "ez-rknn-delivery"]
        for thread in gone:
            thread.join(60)
    dispatcher[0].join(60)
    assert not dispatcher[0].is_alive()
    for thread in threading.enumerate():
        if thread.name == "ez-rknn-close":
            thread.join(60)
            assert not thread.is_alive()


SCRIPT = """
import sys
import numpy as np
from ez_rknn_async import InferenceSession, make_provider_options
options = make_provider_options(runtime_library="simulator", simulator="compute=off,timing=fixed:50000", schedule=0)
session = InferenceSession(sys.argv[1], provider_options=options)
feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
for number in range(3):
    session.run_async(None, feed, lambda results, user_data, error: print(user_data, flush=True), number)
"""


def test_accepted_work_is_delivered_at_the_programs_end(data: Path) -> None:
    """The interpreter's exit delivers it, and the process ends."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(data / "tiny_conv_int8.rknn")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["0", "1", "2"], "")


def _in_child(session: InferenceSession, model: str, answers: Any) -> None:
    try:
        session.run(None, feed_of(session))
    except RknnError as error:
        answers.put(str(error))
    options = make_provider_options(runtime_library="simulator", simulator="compute=off")
    with InferenceSession(model, provider_options=options) as own:
        answers.put(len(own.run(None, feed_of(own))))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_can_only_use_sessions_of_its_own(open_session: OpenSession, data: Path) -> None:
    """Contexts do not survive fork(), so using the parent's is a clear error and not a hang."""
    session = open_session()
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=_in_child, args=(session, os.fspath(data / "tiny_conv_int8.rknn"), answers))
    child.start()
    assert "before fork()" in answers.get(timeout=60)
    assert answers.get(timeout=60) == 1
    child.join(60)
    assert child.exitcode == 0
    assert session.run(None, feed_of(session))


def test_hundreds_of_sessions_leak_nothing(data: Path) -> None:
    """The numbers of threads and descriptors do not grow."""
    options = make_provider_options(runtime_library="simulator", simulator="compute=off", schedule=[0, 1, 2])

    def once() -> None:
        with InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options) as session:
            session.run_async(None, feed_of(session), lambda *_: None)

    once()
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(200):
        once()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors
