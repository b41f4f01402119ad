# SPDX-License-Identifier: Apache-2.0
"""Futures that make their lock only when somebody needs it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Iterator

import pytest

from ez_rknn_async._running.lazy_future import LazyFuture

OUTPUTS = [1, 2]
ROUNDS = 300


@pytest.fixture(autouse=True)
def fast_switches() -> Iterator[None]:
    """Threads take turns at almost every step, so that a race is lost soon."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def settled() -> LazyFuture:
    """Return a future that has ended before anyone looked."""
    future = LazyFuture()
    future.settle(OUTPUTS)
    return future


def test_a_future_that_ends_unseen_has_no_lock() -> None:
    """That is the point of it: making the lock costs more than the rest."""
    future = settled()
    assert future.done()
    assert future.result() is OUTPUTS
    assert not any(isinstance(value, threading.Condition) for value in vars(future).values())


def test_a_future_that_ended_unseen_is_like_any_other() -> None:
    """Everything of the standard library works on it afterwards."""
    future, called = settled(), list[object]()
    future.add_done_callback(called.append)
    assert called == [future]
    assert (future.exception(), future.cancelled(), future.running(), future.cancel()) == (None, False, False, False)
    assert concurrent.futures.wait([future, settled()], timeout=60).not_done == set()
    assert list(concurrent.futures.as_completed([future], timeout=60)) == [future]
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_result([])


def test_a_cancelled_future_says_so() -> None:
    """Cancelling makes the lock, and what the base class does with it is as always."""
    future = LazyFuture()
    assert future.cancel()
    assert future.done()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()


@pytest.mark.parametrize("look", ["result", "callback", "wait", "as_completed", "asyncio"])
def test_nobody_misses_the_end(look: str) -> None:
    """Whether the end or the first look comes first, the other one finds it."""
    for _ in range(ROUNDS):
        future, begin = LazyFuture(), threading.Barrier(2)

        def settle(future: LazyFuture = future, begin: threading.Barrier = begin) -> None:
            begin.wait(60)
            future.settle(OUTPUTS)

        thread = threading.Thread(target=settle)
        thread.start()
        begin.wait(60)
        assert looked(look, future) is OUTPUTS
        thread.join()


def looked(look: str, future: LazyFuture) -> object:
    """Wait for a future in one of the ways that there are, and return its result."""
    if look == "callback":
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        assert ended.wait(60)
    elif look == "wait":
        assert concurrent.futures.wait([future, settled()], timeout=60).not_done == set()
    elif look == "as_completed":
        assert list(concurrent.futures.as_completed([future], timeout=60)) == [future]
    elif look == "asyncio":

        async def main() -> object:
            return await asyncio.wait_for(asyncio.wrap_future(future), 60)

        return asyncio.run(main())
    return future.result(60)


def test_several_threads_wait_for_one_future() -> None:
    """They share one lock, whoever made it."""
    for _ in range(ROUNDS // 10):
        future, results = LazyFuture(), list[object]()
        threads = [threading.Thread(target=lambda f=future, r=results: r.append(f.result(60))) for _ in range(6)]
        for thread in threads:
            thread.start()
        future.settle(OUTPUTS)
        for thread in threads:
            thread.join()
        assert results == [OUTPUTS] * 6
