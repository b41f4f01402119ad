"""Statistics are always on: what they add to an inference, and to the session, is next to nothing."""

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


class Counted:
    """Stands for the engine's library, and counts the calls of its functions."""

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


def lines_run(call: Callable[[], Any], module: str) -> int:
    """How often functions of a module were entered on this thread during a call."""
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


def test_a_run_is_one_call_of_the_engine_with_statistics_and_all(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine counts while it has the task in hand anyway; nothing is asked or told for their sake."""
    counted = Counted(monkeypatch)
    session = open_session()
    feed = feed_of(session)
    session.run(None, feed)
    before = counted.counts.copy()
    for _ in range(10):
        session.run(None, feed)
    assert counted.counts - before == {"ezr_run": 10}
    assert session.stats.latency["total"].count == 11


@pytest.mark.parametrize("way", sorted(WAYS))
def test_no_way_to_run_does_anything_for_statistics_in_the_interpreter(open_session: OpenSession, way: str) -> None:
    """Only who reads them pays in Python."""
    session = open_session(schedule=[0, 1], max_queue_size=10)
    feed = feed_of(session)
    assert lines_run(lambda: WAYS[way](session, feed, 4), stats.__file__) == 0
    assert lines_run(lambda: session.stats, stats.__file__) > 0
    assert sum(core.completed for core in session.stats.cores.values()) == 4


def test_reading_costs_the_same_however_much_was_done(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call of the engine, and as many steps in Python: nothing grows that would have to be gone through."""
    counted = Counted(monkeypatch)
    session = open_session()
    feed = feed_of(session)
    steps = []
    for runs in (1, 500):
        for _ in range(runs):
            session.run(None, feed)
        before = counted.counts.copy()
        steps.append(lines_run(lambda: session.stats, stats.__file__))
        assert counted.counts - before == {"ezr_stats": 1}
    assert steps[0] == steps[1]
