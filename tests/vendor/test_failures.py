# SPDX-License-Identifier: Apache-2.0
"""A driver that fails, or is slow."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnDeviceError, RknnModelError, RknnTimeoutError
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.library import load

from .conftest import OpenSession
from .npu import FakeNpu, Submission


def feed_of(session: InferenceSession) -> dict[str, np.ndarray]:
    return {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ETIMEDOUT, errno.EIO, errno.ENOMEM])
def test_a_refused_submission_is_a_device_error_and_the_next_run_succeeds(
    code: int, open_session: OpenSession, npu: FakeNpu
) -> None:
    """rknn_run returns -1 for any errno; the context is as good as before."""
    session = open_session()
    npu.compute(lambda submission: code)
    with pytest.raises(RknnDeviceError) as failure:
        session.run(None, feed_of(session))
    assert (failure.value.code, failure.value.call) == (-1, "rknn_run")
    npu.compute(lambda submission: None)
    assert len(session.run(None, feed_of(session))) == 1


def test_a_failing_core_only_fails_its_own_tasks(open_session: OpenSession, npu: FakeNpu) -> None:
    """An error of the driver belongs to one submission, and so to one core."""
    session = open_session("block_int8", schedule=[0, 1, 2])
    npu.compute(lambda submission: errno.EIO if submission.core_mask == 2 else None)
    futures = [session.submit(feed_of(session)) for _ in range(6)]
    failed = [isinstance(future.exception(), RknnDeviceError) for future in futures]
    assert failed == [False, True, False, False, True, False]


def test_run_timeout_ms_ends_a_submission_that_hangs(open_session: OpenSession, npu: FakeNpu) -> None:
    """The run fails in time, a fresh context serves the next one, and the old one is destroyed once its call
    returns."""
    session = open_session(run_timeout_ms=200)
    release, late = threading.Event(), threading.Event()

    def hang_once(submission: Submission) -> None:
        if not late.is_set():
            late.set()
            assert release.wait(60)

    npu.compute(hang_once)
    try:
        with pytest.raises(RknnTimeoutError):
            session.run(None, feed_of(session))
        assert len(session.run(None, feed_of(session))) == 1
    finally:
        release.set()


def test_a_slow_core_does_not_delay_the_others(open_session: OpenSession, npu: FakeNpu) -> None:
    """While core 0 is inside the driver, the tasks of core 1 end."""
    session = open_session("block_int8", schedule=[0, 1])
    release = threading.Event()
    npu.compute(lambda submission: None if submission.core_mask != 1 or release.wait(60) else errno.EIO)
    try:
        slow, quick = (session.submit(feed_of(session)) for _ in range(2))
        assert len(quick.result(timeout=60)) == 1
        assert not slow.done()
    finally:
        release.set()
    assert len(slow.result(timeout=60)) == 1


def test_a_model_for_another_soc_is_a_model_error(npu: FakeNpu, vendor_library: str, data: Path) -> None:
    """The library refuses it with the code of a damaged file. (On a board the session knows the SoC, and says more.)

    It is given the content, not a path as by a session: what it allocates to read a file that it then refuses, it never
    frees.
    """
    model = (data / "rk3566_block_int8.rknn").read_bytes()
    with pytest.raises(RknnModelError) as failure:
        Context.open(load(vendor_library), model)
    assert (failure.value.code, failure.value.call) == (-6, "rknn_init")
