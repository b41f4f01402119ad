# SPDX-License-Identifier: Apache-2.0
"""Bindings created, run and dropped by several threads: their memory is freed as fast as it is allocated."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ez_rknn_async import InferenceSession

from ..session.conftest import OpenSession, feed_of
from ..session.values import on_npu

THREADS = 6
ROUNDS = 60  # of each thread
MOST = 150  # descriptors more than with one binding; each thread has two or three pieces of memory at once
RESET_SECONDS = 10.0
# Freeing takes longer than allocating: a thread that leaves it to others outruns them.
SLOW_TO_FREE = "compute=off,fault=rknn_destroy_mem:delay=1000"

pytestmark = pytest.mark.timeout(300)


def with_arrays(session: InferenceSession, feed: Any) -> None:
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_cpu_input(name, array)
    session.run_with_iobinding(binding)


def with_values(session: InferenceSession, feed: Any) -> None:
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_ortvalue_input(name, on_npu(session, array, name))
    session.submit(binding).result(60)


def with_a_cycle(session: InferenceSession, feed: Any) -> None:
    """Leave a cycle to the garbage collection, which comes on any thread."""
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_cpu_input(name, array)
    session.run_with_iobinding(binding)
    knot: list[Any] = [binding]
    knot.append(knot)


@contextmanager
def under_load(work: Callable[[], None], rounds: int | None = None) -> Iterator[list[BaseException]]:
    """Keep several threads at work during the block: until its end, or for ``rounds`` rounds each."""
    stop, errors = threading.Event(), list[BaseException]()

    def loop() -> None:
        done = 0
        try:
            while done != rounds and not stop.is_set():
                work()
                done += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=loop) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        if rounds is None:
            stop.set()
        for thread in threads:
            thread.join()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("way", [with_arrays, with_values])
def test_bindings_dropped_by_threads_use_a_bounded_number_of_descriptors(open_session: OpenSession, way: Any) -> None:
    """The thread that drops memory frees it; no single thread does it for all."""
    session = open_session(simulator=SLOW_TO_FREE, schedule=[0, 1, 2])
    feed, most = feed_of(session), 0
    way(session, feed)
    before = descriptors()

    def work() -> None:
        nonlocal most
        way(session, feed)
        most = max(most, descriptors())

    with under_load(work, ROUNDS) as errors:
        pass
    assert errors == []
    assert most - before < MOST
    assert descriptors() - before < 2 * THREADS


@pytest.mark.parametrize("way", [with_arrays, with_values, with_a_cycle])
def test_reset_under_the_load_of_bindings_ends_within_seconds(open_session: OpenSession, way: Any) -> None:
    """It frees its own memory, not the backlog of the others."""
    session = open_session(simulator=SLOW_TO_FREE, schedule=[0, 1, 2])
    feed, seconds = feed_of(session), list[float]()
    with under_load(lambda: way(session, feed)) as errors:
        for _ in range(5):
            began = time.monotonic()
            session.reset()
            seconds.append(time.monotonic() - began)
            if seconds[-1] >= RESET_SECONDS:
                break
    assert errors == []
    assert max(seconds) < RESET_SECONDS
