# SPDX-License-Identifier: Apache-2.0
"""The stand-in for RKNNLite on the library that RKNNLite itself drives."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async.compat.rknnlite import RKNNLite

from .npu import FakeNpu

CORES = (RKNNLite.NPU_CORE_0, RKNNLite.NPU_CORE_1, RKNNLite.NPU_CORE_2)
MODEL = "block_int8.rknn"
IMAGE = np.zeros((1, 12, 12, 3), np.uint8)


@pytest.fixture
def objects(
    npu: FakeNpu, vendor_library: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RKNNLite, ...]]:
    """One for each core, on one file; they are released in the order in which they came."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", vendor_library)
    opened = tuple(RKNNLite() for _ in CORES)
    for lite, core in zip(opened, CORES):
        assert lite.load_rknn(str(data / MODEL)) == 0
        with pytest.warns(UserWarning, match="update librknnrt"):  # 1.5.2 is old
            assert lite.init_runtime(core_mask=core) == 0
    npu.forget()
    yield opened
    for lite in opened:
        assert lite.release() == 0
    gc.collect()


def places_of_weights(npu: FakeNpu) -> int:
    """From how many places the first layers of all submissions read their weights, by the register that says so."""
    return len(
        {
            next(task[0x1110] for task in submission.registers.values() if 0x1110 in task)
            for submission in npu.submissions
        }
    )


def whole_files(npu: FakeNpu, data: Path) -> int:
    """How often the file is in memory: a context that is loaded from a path has it as a whole."""
    size = (data / MODEL).stat().st_size
    return sum(len(memory.bytes) >= size for memory in npu.memories())


def test_each_object_runs_on_its_core_with_weights_that_are_there_once(
    objects: tuple[RKNNLite, ...], npu: FakeNpu, data: Path
) -> None:
    """By what the kernel's driver is asked for; also when the one that loaded them is gone."""
    for lite in objects:
        assert lite.inference([IMAGE]) is not None
    assert [submission.core_mask for submission in npu.submissions] == list(CORES)
    assert (places_of_weights(npu), whole_files(npu, data)) == (1, 1)
    objects[0].release()
    assert objects[1].inference([IMAGE]) is not None
    assert (places_of_weights(npu), whole_files(npu, data)) == (1, 1)


def test_a_context_that_was_taken_runs_on_its_core(objects: tuple[RKNNLite, ...], npu: FakeNpu, data: Path) -> None:
    """Whether it is the first one of its object or one more; its weights are the same."""
    objects[2].inference([IMAGE])
    npu.forget()
    for lite in objects[1:]:
        runtime = lite.rknn_runtime
        assert runtime is not None
        assert runtime.context
        assert runtime.set_inputs([IMAGE], None, "nhwc") == runtime.run(False) == 0
        assert [array.shape for array in runtime.get_outputs()] == [(1, 16, 6, 6)]
    assert [submission.core_mask for submission in npu.submissions] == [2, 4]
    assert (places_of_weights(npu), whole_files(npu, data)) == (1, 1)
