# SPDX-License-Identifier: Apache-2.0
"""map(): a bounded, lazy stream."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest

from ez_rknn_async import InferenceSession

from .conftest import OpenSession, feed_of


class Source:
    """Yields feeds and counts them."""

    def __init__(self, session: InferenceSession, count: int) -> None:
        self._feed = feed_of(session)
        self._left = count
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._left == 0:
            raise StopIteration
        self._left -= 1
        self.taken += 1
        return self._feed


@pytest.mark.parametrize("ordered", [True, False])
def test_every_feed_gives_one_result(ordered: bool, open_session: OpenSession) -> None:
    """None is lost and none comes twice."""
    session = open_session(schedule=[0, 1, 2])
    assert len(list(session.map(Source(session, 50), ordered=ordered))) == 50


def test_ordered_results_are_those_of_their_feeds(open_session: OpenSession) -> None:
    """Cores may differ in speed."""
    session = open_session("tiny_conv_fp16", simulator="timing=fixed:100,slowdown=0:50", schedule=[0, 1, 2])
    feeds = [feed_of(session, seed) for seed in range(12)]
    expected = [session.run(None, feed)[0] for feed in feeds]
    for (output,), wanted in zip(session.map(feeds), expected):
        assert (output == wanted).all()


def test_the_stream_reads_no_more_than_its_depth_ahead(open_session: OpenSession) -> None:
    """A camera's frames are not read before there is room for them."""
    session = open_session(schedule=0, simulator="compute=off,timing=fixed:20000", max_queue_size=10)
    source = Source(session, 100)
    stream = session.map(source, depth=4)
    assert source.taken == 0
    next(stream)
    assert source.taken <= 4
    stream.close()


def test_a_wrong_feed_raises_at_its_own_item_and_the_stream_goes_on(open_session: OpenSession) -> None:
    """Earlier results are delivered first, and later ones are not lost."""
    session = open_session()
    feed = feed_of(session)
    stream = session.map([feed, feed, {"wrong": 1}, feed])
    assert len(next(stream)) == 1
    assert len(next(stream)) == 1
    with pytest.raises(ValueError, match="wrong"):
        next(stream)
    assert len(next(stream)) == 1
    with pytest.raises(StopIteration):
        next(stream)


def test_a_source_that_breaks_raises_after_its_last_item(open_session: OpenSession) -> None:
    """The stream is then over."""
    session = open_session()

    def broken() -> Iterator[Any]:
        yield feed_of(session)
        raise OSError("the camera is gone")

    stream = session.map(broken())
    assert len(next(stream)) == 1
    with pytest.raises(OSError, match="camera"):
        next(stream)
    assert list(stream) == []


def test_closing_cancels_queued_items_and_leaves_the_session_usable(open_session: OpenSession) -> None:
    """Only items that a worker had taken up still run."""
    session = open_session(schedule=0, simulator="compute=off,timing=fixed:50000", max_queue_size=10)
    with session.map([feed_of(session)] * 100, depth=8) as stream:
        next(stream)
    assert len(session.run(None, feed_of(session))) == 1
    session.close()
    assert session.stats.cores["0"].completed <= 4


def test_dropping_the_stream_closes_it(open_session: OpenSession) -> None:
    """A for loop that is left by break or return drops it."""
    session = open_session(schedule=0, simulator="compute=off,timing=fixed:50000", max_queue_size=10)
    for _ in session.map([feed_of(session)] * 100, depth=8):
        break
    session.close()
    assert session.stats.cores["0"].completed <= 3


@pytest.mark.parametrize("ordered", [True, False])
def test_several_threads_share_one_stream(ordered: bool, open_session: OpenSession, tiny_switch_interval: None) -> None:
    """Each result goes to one of them, and no two threads enter a generator of feeds at once."""
    session = open_session(schedule=[0, 1, 2])
    feed = feed_of(session)
    stream = session.map((feed for _ in range(400)), ordered=ordered)
    counts: list[int] = []
    with ThreadPoolExecutor(8) as threads:
        takers = [threads.submit(lambda: sum(1 for _ in stream)) for _ in range(8)]
        counts = [taker.result(timeout=60) for taker in takers]
    assert sum(counts) == 400


@pytest.mark.parametrize("ordered", [True, False])
def test_closing_ends_a_stream_that_another_thread_reads(ordered: bool, open_session: OpenSession) -> None:
    """The reader's loop ends, or its item was cancelled; it does not wait for ever."""
    session = open_session(schedule=0, simulator="compute=off,timing=fixed:20000", max_queue_size=10)
    stream = session.map(itertools.repeat(feed_of(session)), depth=4, ordered=ordered)
    first = threading.Event()

    def read() -> int:
        count = 0
        with contextlib.suppress(CancelledError):
            for _ in stream:
                first.set()
                count += 1
        return count

    with ThreadPoolExecutor(1) as threads:
        reader = threads.submit(read)
        assert first.wait(60)
        stream.close()
        assert reader.result(timeout=60) >= 1


def test_output_names_are_checked_before_anything_runs(open_session: OpenSession) -> None:
    """They are chosen as in run()."""
    session = open_session("two_inputs_int8")
    with pytest.raises(ValueError, match="no output 'x'"):
        session.map([], output_names=["x"])
    (result,) = session.map([feed_of(session)], output_names=[session.output_names[1]])
    assert [list(result[0].shape)] == [session.get_outputs()[1].shape]


@pytest.mark.parametrize("depth", [0, -1, True, 1.5])
def test_refuses_an_invalid_depth(depth: Any, open_session: OpenSession) -> None:
    """It is refused before anything is taken from the source."""
    with pytest.raises(ValueError, match="depth"):
        open_session().map([], depth=depth)
