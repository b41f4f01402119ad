# SPDX-License-Identifier: Apache-2.0
"""Contexts, threads, cores and queues.

Elsewhere: the modulo rule, the order of callbacks, no head-of-line blocking (tests/session/test_scheduling.py), the
limits of the queue and its timeout (tests/session/test_running.py), pacing (tests/session/test_limits.py), the plan of
every combination (tests/test_plan.py).
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable

import pytest

from ez_rknn_async._runtime.library import Library

from ..session.conftest import feed_of
from .conftest import OpenSession

Configure = Callable[[str], None]


@pytest.fixture
def runtime_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runtime's functions that the sessions of this test call, in order."""
    calls: list[str] = []
    original = Library.call

    def call(self: Library, name: str, *arguments: Any) -> None:
        calls.append(name)
        original(self, name, *arguments)

    monkeypatch.setattr(Library, "call", call)
    return calls


@pytest.mark.parametrize(
    ("options", "workers"),
    [
        ({}, 1),
        ({"schedule": [2, 0, 0, 1]}, 3),
        ({"schedule": [0, 1], "threads_per_core": 2}, 4),
        ({"tp_mode": "0,1,2"}, 1),
    ],
    ids=repr,
)
def test_every_worker_has_a_thread_and_a_context(
    options: Any,
    workers: int,
    open_session: OpenSession,
    runtime_calls: list[str],
    living_contexts: Callable[[], int],
) -> None:
    """Each distinct core gets threads_per_core; a core named twice gets a double share, not a second thread."""
    threads, contexts = set(os.listdir("/proc/self/task")), living_contexts()
    open_session("snippet", **options)
    # The thread that loaded the model has ended, but may stay on the kernel's list for a moment.
    while len(set(os.listdir("/proc/self/task")) - threads) > workers:
        threading.Event().wait(0.001)
    assert len(set(os.listdir("/proc/self/task")) - threads) == workers
    assert living_contexts() - contexts == workers
    assert runtime_calls.count("rknn_init") == 1


def test_duplicating_contexts_can_be_turned_off(
    open_session: OpenSession, runtime_calls: list[str], living_contexts: Callable[[], int]
) -> None:
    """Every context then loads the model."""
    before = living_contexts()
    session = open_session(schedule=[0, 1, 2], disable_dup_context=True)
    assert living_contexts() - before == 3
    assert runtime_calls.count("rknn_dup_context") == 0
    for _ in range(3):
        assert session.run(None, feed_of(session))


@pytest.mark.parametrize(("options", "at_once"), [({}, 1), ({"schedule": [0, 1, 2]}, 3)], ids=repr)
def test_runs_one_inference_at_a_time_by_default_and_one_per_scheduled_core(
    options: Any, at_once: int, open_session: OpenSession, simulated_npu: Configure
) -> None:
    """Three clients with two runs each, 40 ms an inference: 240 ms in a row, or 80 ms on three cores."""
    simulated_npu("compute=off,timing=fixed:40000")
    session = open_session(**options)
    feed = feed_of(session)
    clients = [threading.Thread(target=lambda: [session.run(None, feed) for _ in range(2)]) for _ in range(3)]
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds = time.perf_counter() - start
    assert (seconds >= 0.24) == (at_once == 1)


def test_each_sample_of_a_batch_is_a_separate_task(
    open_session: OpenSession, runs_by_core: Callable[[], list[int]]
) -> None:
    """A batch of four therefore moves the rotation by four."""
    session = open_session(schedule=[0, 1, 2])
    feed = feed_of(session)
    batch = {name: array.repeat(4, axis=0) for name, array in feed.items()}
    session.run(None, batch, {"ztu_modelrt_dispatch_batch": True})  # cores 0, 1, 2, 0
    session.run(None, feed)  # core 1
    session.close()
    assert runs_by_core() == [2, 2, 1]


@pytest.mark.parametrize("options", [{}, {"schedule": 0}, {"tp_mode": "auto"}, {"tp_mode": "0"}], ids=repr)
def test_a_single_core_soc_takes_every_option_that_means_its_core(options: Any, open_session: OpenSession) -> None:
    """Its runtime refuses core masks, so it gets none."""
    session = open_session("rk3566_block_int8", **options)
    assert session.run(None, feed_of(session))


@pytest.mark.parametrize("options", [{"schedule": 1}, {"tp_mode": "1"}, {"tp_mode": "0,1"}], ids=repr)
def test_a_single_core_soc_refuses_other_cores_with_a_clear_error(options: Any, open_session: OpenSession) -> None:
    """Programs catch RuntimeError to fall back."""
    with pytest.raises(RuntimeError, match="rk3566"):
        open_session("rk3566_block_int8", **options)
