# SPDX-License-Identifier: Apache-2.0
"""Death of the computing process: a lost device, not a hang and not a crash."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ez_rknn_async import InferenceSession, RknnDeviceError, make_provider_options
from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

from .conftest import feed_of
from .test_running import Collector

OPTIONS = make_provider_options(runtime_library="simulator", schedule=[0, 1, 2])


def kill_device() -> None:
    os.kill(load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_device_pid")(), signal.SIGKILL)


def test_run_raises_a_device_error_and_a_new_session_works(data: Path) -> None:
    """The message says what to do, and doing it helps."""
    model = data / "tiny_conv_int8.rknn"
    with InferenceSession(model, provider_options=OPTIONS) as session:
        expected = session.run(None, feed_of(session))[0]
        kill_device()
        with pytest.raises(RknnDeviceError) as caught:
            session.run(None, feed_of(session))
        assert caught.value.symbol == "RKNN_ERR_DEVICE_UNAVAILABLE"
        assert caught.value.code == -3
        assert caught.value.call == "rknn_run"
    with InferenceSession(model, provider_options=OPTIONS) as session:
        assert (session.run(None, feed_of(session))[0] == expected).all()


def test_answers_every_accepted_task_when_the_device_is_lost(data: Path) -> None:
    """Each ends with results or with an error, in the order of submission, and none is forgotten."""
    with InferenceSession(data / "tiny_conv_int8.rknn", provider_options=OPTIONS) as session:
        collector = Collector(30)
        for number in range(30):
            if number == 10:
                kill_device()
            session.run_async(None, feed_of(session), collector, number)
        calls = collector.wait()
    assert [user_data for _, user_data, _ in calls] == list(range(30))
    for results, _, error in calls:
        assert (results is None) == bool(error)
    assert "RKNN_ERR_DEVICE_UNAVAILABLE" in calls[-1][2]
