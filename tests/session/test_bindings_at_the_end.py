# SPDX-License-Identifier: Apache-2.0
"""Bindings and their values after a session is closed, and after a worker is replaced."""

from __future__ import annotations

import threading
from typing import Callable

import numpy as np
import pytest

from ez_rknn_async import (
    RknnClosedError,
    RknnInUseError,
    RknnTimeoutError,
)

from .conftest import OpenSession, feed_of
from .values import bound, memory_files


def test_a_closed_session_runs_no_bindings(open_session: OpenSession) -> None:
    """The values stay readable, and none stays marked as in use."""
    session = open_session()
    binding = bound(session)
    session.run_with_iobinding(binding)
    session.close()
    for run in (session.run_with_iobinding, session.submit):
        with pytest.raises(RknnClosedError):
            run(binding)
    with pytest.raises(RknnClosedError):
        session.io_binding()
    assert binding.copy_outputs_to_cpu()[0].shape == tuple(session.get_outputs()[0].shape)


def test_closing_delivers_bindings_under_way(open_session: OpenSession) -> None:
    """Every other way to run does the same."""
    session = open_session(simulator="compute=off,timing=fixed:20000", max_queue_size=8)
    futures = [session.submit(bound(session)) for _ in range(4)]
    session.close()
    assert [len(future.result(0)) for future in futures] == [1] * 4


def test_memory_stays_while_a_context_is_bound_to_it(open_session: OpenSession) -> None:
    """A runtime cannot unbind it; the next binding or the end of the session does."""
    before = memory_files()
    session = open_session()
    opened = memory_files()
    session.run_with_iobinding(bound(session))
    assert memory_files() == opened + 2
    binding = bound(session)
    session.run_with_iobinding(binding)
    assert memory_files() == opened + 2
    session.close()
    del binding
    assert memory_files() == before


def test_a_replaced_worker_can_use_the_memory_too(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog replaces a hanging context; the living values are imported into the fresh one."""
    session = open_session("tiny_conv_fp16", simulator="compute=on")
    feed = feed_of(session)
    binding = bound(session, feed)
    session.run_with_iobinding(binding)
    expected = session.run(None, feed)[0]
    contexts = session._deployment.executor.contexts
    info = binding.get_outputs()[0].memory_info()
    fresh = contexts.replace(0, tag=10**6)
    assert fresh is contexts[0]
    assert binding.get_outputs()[0].memory_info()["import_count"] == info["import_count"] + 1
    contexts.release(10**6)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], expected)


def test_values_stay_in_use_while_a_call_hangs_with_them(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """The task has failed, but the NPU may still write. Another worker can use the values that it needs."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:hang", schedule=0, run_timeout_ms=50)
    hanging, other = bound(session), bound(session)
    with pytest.raises(RknnTimeoutError):
        session.submit(hanging).result()
    with pytest.raises(RknnInUseError):
        hanging.get_outputs()
    session.run_with_iobinding(other)
    release_hangs()
    while hanging._mark.in_flight:
        threading.Event().wait(0.001)
    session.run_with_iobinding(hanging)


def test_replaces_a_worker_in_a_lane_used_by_values_only(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """Arrays never went there, so the fresh context needs no memory for them."""
    session = open_session(simulator="compute=off,fault=rknn_run#2:hang", schedule=0, run_timeout_ms=50)
    session.run(None, feed_of(session))
    binding, other = bound(session), bound(session)
    for each in (binding, other):
        each.bind_output(session.output_names[0], "rknpu2", layout="nhwc")
    with pytest.raises(RknnTimeoutError):
        session.run_with_iobinding(binding)
    session.run_with_iobinding(other)
    session.run(None, feed_of(session))
    release_hangs()
