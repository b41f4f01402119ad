# SPDX-License-Identifier: Apache-2.0
"""A session in real time says if this machine could not keep modelled time."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async import InferenceSession


def remarks(model: Path, timing: str, runs: int, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Run a session to its end, and return its remarks."""
    options = {"schedule": [0, 1], "runtime_library": "simulator", "simulator": timing}
    with (
        caplog.at_level(logging.WARNING, "ez_rknn_async"),
        InferenceSession(model, provider_options=options) as session,
    ):
        feed = {node.name: np.zeros(node.shape, np.float32) for node in session.get_inputs()}
        for _ in range(runs):
            session.run(None, feed)
    return [record.getMessage() for record in caplog.records if "could not keep" in record.getMessage()]


def test_a_session_that_computes_longer_than_the_npu_would_says_so_once(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Computing this takes far longer than a tenth of a microsecond, on any machine; there are two contexts."""
    (remark,) = remarks(data / "snippet.rknn", "timing=fixed:0.1", 24, caplog)
    assert remark.startswith("the host could not keep modelled time: ")
    assert remark.endswith(" waits were late by more than 5 % and 0.1 ms")


@pytest.mark.parametrize(("timing", "runs"), [("timing=off,compute=off", 30), ("timing=fixed:0.1", 3)])
def test_says_nothing_without_modelled_time_or_with_few_waits(
    data: Path, caplog: pytest.LogCaptureFixture, timing: str, runs: int
) -> None:
    """A share of three waits says nothing."""
    assert remarks(data / "snippet.rknn", timing, runs, caplog) == []
