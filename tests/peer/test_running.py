# SPDX-License-Identifier: Apache-2.0
"""run, run_async, run_pipeline, batches and the end of a session.

Elsewhere: results, names, user data, logged callbacks, the window (tests/session/test_running.py), batches of every
kind (tests/session/test_data.py, tests/test_batch.py), what is delivered at the end (tests/session/test_ending.py).
"""

from __future__ import annotations

import threading
from typing import Any, Callable

import numpy as np
import pytest

from ..session.conftest import feed_of
from ..session.test_running import Collector
from .conftest import OpenSession

Configure = Callable[[str], None]


def test_a_slow_callback_does_not_delay_run(open_session: OpenSession) -> None:
    """In that library every result crossed the callback thread, also those of run()."""
    session, release, done = open_session(), threading.Event(), threading.Event()

    def slow(_results: Any, _user_data: Any, _error: str) -> None:
        assert release.wait(60)
        done.set()

    session.run_async(None, feed_of(session), slow)
    assert session.run(None, feed_of(session))
    assert not done.is_set()
    release.set()
    session.close()
    assert done.is_set()


def test_a_failed_inference_gives_its_callback_a_message(open_session: OpenSession, simulated_npu: Configure) -> None:
    """(None, user_data, text): the text is not empty, and the next one is fine."""
    simulated_npu("compute=off,timing=fixed:1000,slowdown=0:600")
    session, collector = open_session(schedule=[0, 1], run_timeout_ms=100), Collector(2)
    session.run_async(None, feed_of(session), collector, "slow")
    session.run_async(None, feed_of(session), collector, "fine")
    (results, user_data, error), (other, other_data, nothing) = collector.wait()
    assert (results, user_data) == (None, "slow")
    assert "run_timeout_ms" in error or "too long" in error or "TIMEOUT" in error
    assert (len(other), other_data, nothing) == (1, "fine", "")


def test_run_async_works_inside_a_callback(open_session: OpenSession) -> None:
    """Programs keep a chain going that way."""
    session, collector = open_session(), Collector(5)

    def next_one(results: Any, number: int, error: str) -> None:
        collector(results, number, error)
        if number < 4:
            session.run_async(None, feed_of(session), next_one, number + 1)

    session.run_async(None, feed_of(session), next_one, 0)
    assert [number for _, number, _ in collector.wait()] == [0, 1, 2, 3, 4]


def test_run_async_with_the_batch_flag_is_a_runtime_error(open_session: OpenSession) -> None:
    """It runs one inference; the flag is for run()."""
    session = open_session()
    with pytest.raises(RuntimeError, match="ztu_modelrt_dispatch_batch"):
        session.run_async(None, feed_of(session), print, None, {"ztu_modelrt_dispatch_batch": True})


def frames(number: int) -> list[Any]:
    return [np.full((1, 3, 16, 16), value, np.float32) for value in range(number)]


def test_the_pipeline_gives_each_frames_own_results_in_order(
    open_session: OpenSession, simulated_npu: Configure
) -> None:
    """None `depth` times, then the results of call 0, 1, 2 ...; by position or by name."""
    simulated_npu("")
    session = open_session("tiny_conv_fp16", schedule=[0, 1, 2])
    expected = [session.run(None, [frame])[0] for frame in frames(6)]
    results = [session.run_pipeline({"x": frame}, 3, False) for frame in frames(6)]
    assert results[:3] == [None, None, None]
    for wanted, result in zip(expected, results[3:]):
        assert result is not None
        assert np.array_equal(result[0], wanted)
    assert [np.array_equal(a[0], b) for a, b in zip(session.drain_pipeline(), expected[3:])] == [True] * 3


def test_resetting_at_every_call_never_gives_results(open_session: OpenSession) -> None:
    """Each call begins a new window with its own frame."""
    session = open_session()
    assert [session.run_pipeline(feed_of(session), depth=1, reset=True) for _ in range(4)] == [None] * 4


def test_raises_a_frames_error_when_its_results_are_due(open_session: OpenSession, simulated_npu: Configure) -> None:
    """The frames after it are not lost."""
    simulated_npu("compute=off,timing=fixed:1000,slowdown=0:600")
    session = open_session(schedule=[0, 1], run_timeout_ms=100)
    assert session.run_pipeline(feed_of(session), depth=1) is None  # core 0, which is too slow
    with pytest.raises(RuntimeError):
        session.run_pipeline(feed_of(session), depth=1)  # core 1
    (results,) = session.drain_pipeline()
    assert len(results) == 1


def test_run_between_pipeline_calls_does_not_disturb_them(open_session: OpenSession, simulated_npu: Configure) -> None:
    """Their results stay separate."""
    simulated_npu("")
    session = open_session("tiny_conv_fp16", schedule=[0, 1])
    first, second = frames(2)
    (expected,) = session.run(None, [second])
    assert session.run_pipeline([second], depth=1) is None
    session.run(None, [first])
    results = session.run_pipeline([first], depth=1)
    assert results is not None
    assert np.array_equal(results[0], expected)


@pytest.mark.parametrize("flag", [True, 1, "1", "true", "on", "yes"], ids=repr)
def test_a_batch_gives_the_models_shape_with_the_batch_in_front(flag: Any, open_session: OpenSession) -> None:
    """Results are joined in the order of the samples."""
    session = open_session("two_inputs_int8", schedule=[0, 1, 2])
    batch = [np.zeros((5, *node.shape[1:]), np.float32) for node in session.get_inputs()]
    outputs = session.run(None, batch, {"ztu_modelrt_dispatch_batch": flag})
    assert [o.shape for o in outputs] == [(5, 5, 8, 4), (5, 8, 4, 4)]


@pytest.mark.parametrize("sizes", [(0, 0), (2, 3)])
def test_invalid_or_inconsistent_batches_are_runtime_errors(sizes: tuple[int, int], open_session: OpenSession) -> None:
    """They are refused before anything runs."""
    session = open_session("two_inputs_int8")
    batch = [np.zeros((size, *node.shape[1:]), np.float32) for size, node in zip(sizes, session.get_inputs())]
    with pytest.raises(RuntimeError):
        session.run(None, batch, {"ztu_modelrt_dispatch_batch": True})
    assert session.stats.latency["npu"].count == 0
