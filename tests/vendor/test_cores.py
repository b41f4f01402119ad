# SPDX-License-Identifier: Apache-2.0
"""The cores that each schedule and each tp_mode requests from the driver."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .conftest import OpenSession
from .npu import FakeNpu, Submission


def run_times(session: Any, times: int) -> None:
    feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
    for _ in range(times):
        session.run(None, feed)


def busy_cores(submission: Submission) -> int:
    """Return the number of cores for which the submission has tasks: the driver reads two places, or three others."""
    places = submission.subcores[2:] if submission.core_mask == 7 else submission.subcores[:2]
    return len({place for place in places if place[1]})


@pytest.mark.parametrize(
    ("schedule", "masks"),
    [
        (0, [1, 1, 1]),
        ([2], [4, 4, 4]),
        ([0, 1, 2], [1, 2, 4, 1, 2, 4]),
        ([0, 1, 1], [1, 2, 2, 1]),
        ("all", [1, 2, 4, 1]),
        ("0,2", [1, 4, 1]),
        ("1", [2, 2]),
        ([2, 0], [4, 1, 4, 1]),
    ],
)
def test_tasks_go_to_the_scheduled_cores_in_rotation(
    schedule: Any, masks: list[int], open_session: OpenSession, npu: FakeNpu
) -> None:
    """Each submission carries the mask of the core whose turn it is."""
    run_times(open_session("block_int8", schedule=schedule), len(masks))
    assert [s.core_mask for s in npu.submissions] == masks


@pytest.mark.parametrize(
    ("mode", "mask", "cores"),
    [("auto", 0, 1), ("0", 1, 1), ("1", 2, 1), ("2", 4, 1), ("0,1", 3, 2), ("0,1,2", 7, 3), ("all", 7, 3)],
)
def test_the_cores_of_a_tp_mode_share_each_inference(
    mode: str, mask: int, cores: int, open_session: OpenSession, npu: FakeNpu
) -> None:
    """The driver gets one list of tasks a core, and the lists differ if cores work together."""
    run_times(open_session("tiny_conv_int8", tp_mode=mode), 2)
    assert {s.core_mask for s in npu.submissions} == {mask}
    assert {busy_cores(s) for s in npu.submissions} == {cores}


def test_a_layer_that_cannot_be_divided_runs_on_one_core(open_session: OpenSession, npu: FakeNpu) -> None:
    """A model divided among cores is submitted part by part; undivided parts go to core 0 alone."""
    # With direct I/O the NPU also pads the rows of the image, by a separate task in front.
    run_times(open_session("block_int8", tp_mode="0,1,2", io_mode="copy"), 1)
    assert [(s.core_mask, busy_cores(s)) for s in npu.submissions] == [(7, 3), (7, 3), (7, 3), (1, 1)]


@pytest.mark.parametrize("mode", ["0,1", "0,1,2"])
def test_a_model_compiled_for_one_core_runs_on_one(mode: str, open_session: OpenSession, npu: FakeNpu) -> None:
    """The library silently falls back to core 0: only the submission shows it."""
    run_times(open_session("single_core_int8", tp_mode=mode), 1)
    assert [s.core_mask for s in npu.submissions] == [1]


def test_every_thread_of_a_core_has_a_context_with_its_mask(open_session: OpenSession, npu: FakeNpu) -> None:
    """Duplicated contexts do not inherit the mask: it is set for each."""
    session = open_session("block_int8", schedule=[1], threads_per_core=3)
    feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
    for future in [session.submit(feed) for _ in range(9)]:
        future.result()
    assert {s.core_mask for s in npu.submissions} == {2}
