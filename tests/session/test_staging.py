# SPDX-License-Identifier: Apache-2.0
"""Private copies of inputs: their memory is used again, and never for two inferences at once."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession
from ez_rknn_async._transport import staging
from ez_rknn_async._transport.direct import Direct
from ez_rknn_async._transport.staging import StagingPool

from .conftest import OpenSession, feed_of

LARGE = np.zeros((1, 3, 256, 256), np.float32)


def kept(session: InferenceSession) -> list[np.ndarray[Any, Any]]:
    """Return the copies that wait to be used again."""
    direct = session._deployment.executor.direct
    assert isinstance(direct, Direct)
    return [copy for free in direct.staging._free.values() for copy in free]


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small inputs are copied as large ones are."""
    monkeypatch.setattr(staging, "_SMALLEST", 0)


def test_a_copy_is_made_in_the_memory_of_an_earlier_one() -> None:
    """Fresh memory costs more than the copy."""
    pool = StagingPool()
    first, free = pool.copy(LARGE)
    assert free is not None
    free.append(first)
    second, _ = pool.copy(LARGE + 1)
    assert second is first
    assert (second == 1).all()


@pytest.mark.parametrize("array", [LARGE, LARGE.transpose(0, 2, 3, 1), LARGE[:, :, ::2], LARGE.astype(">f4")])
def test_a_copy_has_the_layout_that_numpy_gives_it(array: np.ndarray[Any, Any]) -> None:
    """A frame that was turned stays turned: the kernels read it as it lies."""
    pool = StagingPool()
    for _ in range(2):
        copy, free = pool.copy(array)
        assert (copy.strides, copy.dtype) == (array.copy("K").strides, array.dtype)
        assert not np.shares_memory(copy, array)
        assert free is not None
        free.append(copy)


def test_what_is_kept_is_bounded() -> None:
    """A burst, and programs with images of every size, leave little behind."""
    pool = StagingPool()
    for size in range(256, 300):
        for copy, free in [pool.copy(np.zeros((3, size, size), np.float32)) for _ in range(40)]:
            assert free is not None
            free.append(copy)
    assert sum(copy.nbytes for free in pool._free.values() for copy in free) <= 8 * (16 << 20)


@pytest.mark.parametrize("way", ["run_async", "submit", "map"])
def test_inferences_of_many_threads_keep_their_inputs_apart(
    way: str, any_size: None, tiny_switch_interval: None, open_session: OpenSession
) -> None:
    """Each has an input of its own, whose outputs are known."""
    session = open_session("tiny_conv_fp16", schedule=[0, 1, 2], layout="nchw")
    feeds = [feed_of(session, seed) for seed in range(8)]
    expected = [session.run(None, feed)[0] for feed in feeds]
    wrong: list[int] = []

    def work(number: int) -> None:
        for index in range(60):
            choice = (number + index) % len(feeds)
            feed = {name: array.copy() for name, array in feeds[choice].items()}
            if way == "map":
                results = list(session.map([feed]))
            elif way == "submit":
                future = session.submit(feed)
                feed[next(iter(feed))].fill(99)
                results = [future.result()]
            else:
                ended, results = threading.Event(), []

                def receive(arrays: Any, ended: threading.Event, _: str) -> None:
                    results.append(arrays)  # noqa: B023
                    ended.set()

                session.run_async(None, feed, receive, ended)
                feed[next(iter(feed))].fill(99)
                assert ended.wait(60)
            if not (results[0][0] == expected[choice]).all():
                wrong.append(choice)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert wrong == []
    copies = kept(session)
    assert 0 < len(copies) == len({id(copy) for copy in copies})


def test_a_copy_comes_back_once_however_its_task_ends(any_size: None, open_session: OpenSession) -> None:
    """One that is cancelled is withdrawn by one thread and delivered by another."""
    session = open_session(schedule=0, simulator="compute=off,timing=fixed:2000", max_queue_size=64)
    feed = feed_of(session)
    for _ in range(20):
        futures = [session.submit(feed) for _ in range(8)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda future: future.cancel(), futures))
        for future in futures:
            with contextlib.suppress(CancelledError):
                future.result(60)
    session.run(None, feed)
    copies = kept(session)
    assert 0 < len(copies) == len({id(copy) for copy in copies})
