# SPDX-License-Identifier: Apache-2.0
"""Statistics, which are always on: their cost for an inference and for the session is next to nothing."""

from __future__ import annotations

import collections
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Callable

import pytest

from ez_rknn_async._observing import stats
from ez_rknn_async._runtime import engine, native

from .conftest import OpenSession, feed_of
from .ways import WAYS


class CountingLibrary:
    """Replaces the engine's library, and counts the calls of its functions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self._library = native.native()
        monkeypatch.setattr(engine, "native", lambda: self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._library, name)

        def call(*arguments: Any) -> Any:
            self.counts[name] += 1
            return function(*arguments)

        return call


def calls_to(call: Callable[[], Any], module: str) -> int:
    """Return the number of calls of a module's functions on this thread during a call."""
    entered = 0

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal entered
        entered += event == "call" and Path(frame.f_code.co_filename) == Path(module)

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


def test_a_run_with_statistics_is_one_call_of_the_engine(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine counts while it handles the task anyway; statistics need no call of their own."""
    counted = CountingLibrary(monkeypatch)
    session = open_session()
    feed = feed_of(session)
    session.run(None, feed)
    before = counted.counts.copy()
    for _ in range(10):
        session.run(None, feed)
    assert counted.counts - before == {"ezr_run": 10}
    assert session.stats.latency["total"].count == 11


@pytest.mark.parametrize("way", sorted(WAYS))
def test_statistics_cost_no_python_code_in_any_way_to_run(open_session: OpenSession, way: str) -> None:
    """Only reading them costs time in Python."""
    session = open_session(schedule=[0, 1], max_queue_size=10)
    feed = feed_of(session)
    assert calls_to(lambda: WAYS[way](session, feed, 4), stats.__file__) == 0
    assert calls_to(lambda: session.stats, stats.__file__) > 0
    assert sum(core.completed for core in session.stats.cores.values()) == 4


def test_the_cost_of_reading_does_not_grow_with_the_number_of_runs(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one call of the engine and a fixed number of steps in Python: there is no growing list to walk."""
    counted = CountingLibrary(monkeypatch)
    session = open_session()
    feed = feed_of(session)
    steps = []
    for runs in (1, 500):
        for _ in range(runs):
            session.run(None, feed)
        before = counted.counts.copy()
        steps.append(calls_to(lambda: session.stats, stats.__file__))
        assert counted.counts - before == {"ezr_stats": 1}
    assert steps[0] == steps[1]
