# SPDX-License-Identifier: Apache-2.0
"""run, run_async and run_pipeline: their results, and their errors."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError, RknnTimeoutError, make_provider_options

from .conftest import OpenSession, feed_of

SIMULATED = make_provider_options(runtime_library="simulator", simulator="compute=off")


class Collector:
    """A callback for run_async that keeps its arguments."""

    def __init__(self, expected: int) -> None:
        self.calls: list[tuple[Any, Any, str]] = []
        self.threads: set[str] = set()
        self._expected = expected
        self._done = threading.Event()

    def __call__(self, results: Any, user_data: Any, error: str) -> None:
        self.calls.append((results, user_data, error))
        self.threads.add(threading.current_thread().name)
        if len(self.calls) == self._expected:
            self._done.set()

    def wait(self) -> list[tuple[Any, Any, str]]:
        assert self._done.wait(60)
        return self.calls


def test_run_returns_new_float32_arrays_in_the_models_shapes(open_session: OpenSession) -> None:
    """They are owned, writable and contiguous, so that the caller may do anything with them."""
    session = open_session("two_inputs_int8")
    outputs = session.run(None, feed_of(session))
    assert [list(o.shape) for o in outputs] == [a.shape for a in session.get_outputs()]
    for output in outputs:
        assert output.dtype == np.float32
        assert output.flags.c_contiguous
        assert output.flags.writeable
        assert output.flags.owndata


def test_output_names_choose_and_order_the_outputs(open_session: OpenSession) -> None:
    """Duplicates are allowed; None and an empty list both mean all."""
    session = open_session("two_inputs_int8")
    first, second = session.output_names
    by_name = dict(zip((first, second), session.run(None, feed_of(session))))
    chosen = session.run([second, first, second], feed_of(session))
    assert [o.shape for o in chosen] == [by_name[n].shape for n in (second, first, second)]
    assert len(session.run([], feed_of(session))) == 2
    with pytest.raises(ValueError, match="the model has no output 'nothing'"):
        session.run(["nothing"], feed_of(session))
    with pytest.raises(TypeError, match="sequence of names"):
        session.run(first, feed_of(session))


def test_run_async_passes_results_and_user_data(open_session: OpenSession) -> None:
    """Success is an empty error string, as programs for that library test it."""
    session, collector, token = open_session(), Collector(1), object()
    assert session.run_async(None, feed_of(session), collector, token) is None
    ((results, user_data, error),) = collector.wait()
    assert user_data is token
    assert error == ""
    assert [list(r.shape) for r in results] == [a.shape for a in session.get_outputs()]
    assert collector.threads == {"ez-rknn-delivery"}


def test_run_async_takes_an_empty_list_of_names_for_all(open_session: OpenSession) -> None:
    """The library that this one replaces crashed the process here."""
    session, collector = open_session("two_inputs_int8"), Collector(1)
    session.run_async([], feed_of(session), collector)
    assert len(collector.wait()[0][0]) == 2


def test_logs_a_callback_that_raises_and_calls_the_next_ones(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback, which is needed to find the fault."""
    session, collector = open_session(), Collector(1)

    def faulty(_results: Any, _user_data: Any, _error: str) -> None:
        raise SystemExit("my mistake")

    with caplog.at_level(logging.ERROR, "ez_rknn_async"):
        session.run_async(None, feed_of(session), faulty)
        session.run_async(None, feed_of(session), collector)
        collector.wait()
    assert "my mistake" in caplog.text
    assert "in faulty" in caplog.text


def test_run_works_inside_a_callback(open_session: OpenSession) -> None:
    """The library that this one replaces waited here for ever."""
    session, collector = open_session(), Collector(1)

    def nested(_results: Any, _user_data: Any, error: str) -> None:
        collector(session.run(None, feed_of(session)), None, error)

    session.run_async(None, feed_of(session), nested)
    assert len(collector.wait()[0][0]) == 1


def test_refuses_run_pipeline_inside_a_callback(open_session: OpenSession, caplog: pytest.LogCaptureFixture) -> None:
    """Its results would have to come through the thread that waits for them, so it would wait for ever."""
    session, raised = open_session(), Collector(1)

    def nested(_results: Any, _user_data: Any, _error: str) -> None:
        try:
            session.run_pipeline(feed_of(session))
        except RknnError as error:
            raised(None, error, "")

    session.run_async(None, feed_of(session), nested)
    assert "use run()" in str(raised.wait()[0][1])


def test_run_pipeline_is_a_window_of_depth_frames(open_session: OpenSession) -> None:
    """The first `depth` calls return None, then each returns the results of the frame `depth` calls ago."""
    session = open_session(schedule=[0, 1, 2])
    results = [session.run_pipeline(feed_of(session), depth=3) for _ in range(6)]
    assert [r is None for r in results] == [True, True, True, False, False, False]
    assert session.run_pipeline(feed_of(session), depth=1) is None  # another depth begins a new window
    assert session.run_pipeline(feed_of(session), depth=1) is not None
    assert session.run_pipeline(feed_of(session), depth=1, reset=True) is None


@pytest.mark.parametrize("depth", [0, -1, True, 1.5, "3"])
def test_refuses_an_invalid_depth(depth: Any, open_session: OpenSession) -> None:
    """It is refused before the frame is submitted, so that nothing is lost."""
    session = open_session()
    with pytest.raises(ValueError, match="depth"):
        session.run_pipeline(feed_of(session), depth=depth)


def test_a_full_queue_blocks_the_submitter_until_its_timeout(open_session: OpenSession) -> None:
    """One task runs and one waits; the third is refused after its time, and the accepted two are delivered."""
    session = open_session(
        simulator="compute=off,timing=fixed:1000000", schedule=0, max_queue_size=1, submit_timeout_ms=50
    )
    collector, feed = Collector(2), feed_of(session)
    session.run_async(None, feed, collector, "running")
    session.run_async(None, feed, collector, "waiting")
    with pytest.raises(RknnTimeoutError, match="submit timed out") as caught:
        session.run_async(None, feed, collector, "refused")
    assert isinstance(caught.value, TimeoutError)
    assert [user_data for _, user_data, _ in collector.wait()] == ["running", "waiting"]


def test_the_inputs_of_run_async_may_be_overwritten_at_once(data: Path) -> None:
    """They are copied before it returns: the values at the time of the call count."""
    options = make_provider_options(runtime_library="simulator")
    with InferenceSession(data / "tiny_conv_fp16.rknn", provider_options=options) as session:
        feed = feed_of(session)
        expected = session.run(None, feed)[0]
        collector = Collector(1)
        session.run_async(None, feed, collector)
        for array in feed.values():
            array.fill(0)
        assert np.array_equal(collector.wait()[0][0][0], expected)


def test_many_threads_may_run_one_session(open_session: OpenSession) -> None:
    """Each gets results, and none waits for ever."""
    session = open_session(schedule=[0, 1, 2])
    shapes: list[tuple[int, ...]] = []

    def client() -> None:
        for _ in range(50):
            shapes.append(session.run(None, feed_of(session))[0].shape)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shapes) == 400
