# SPDX-License-Identifier: Apache-2.0
"""The field's most copied pattern: an object for each core, all on one file, in a pool of threads."""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession
from ez_rknn_async.compat.rknnlite import RKNNLite

from .conftest import OpenLite, OpenSession

CORES = (RKNNLite.NPU_CORE_0, RKNNLite.NPU_CORE_1, RKNNLite.NPU_CORE_2)


def session_of(lite: RKNNLite) -> InferenceSession:
    assert lite.rknn_runtime is not None
    session = lite.rknn_runtime._session
    assert session is not None
    return session


class Pool:
    """Frames go in, results come out in their order; each object is used by one thread at a time."""

    def __init__(self, path: str) -> None:
        self.objects = [RKNNLite() for _ in CORES]
        for lite, core in zip(self.objects, CORES):
            assert lite.load_rknn(path) == 0
            assert lite.init_runtime(core_mask=core) == 0
        self._threads = ThreadPoolExecutor(len(CORES))
        self._pending: queue.Queue[Any] = queue.Queue()
        self._count = 0

    def put(self, frame: Any) -> None:
        lite = self.objects[self._count % len(CORES)]
        self._count += 1
        self._pending.put(self._threads.submit(lite.inference, inputs=[frame]))

    def get(self) -> Any:
        return self._pending.get().result()

    def release(self) -> None:
        self._threads.shutdown()
        for lite in self.objects:
            lite.release()


def test_a_pool_of_three_objects(data: Path, open_session: OpenSession, runs_by_core: Callable[[], list[int]]) -> None:
    """Results in order, all three cores in use, the weights in memory once."""
    session = open_session("block_int8")
    shape = session.get_inputs()[0].shape
    frames = [np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8) for seed in range(12)]
    expected = [session.run(None, [frame]) for frame in frames]
    before = runs_by_core()
    pool = Pool(str(data / "block_int8.rknn"))
    for frame in frames:
        pool.put(frame)
    for outputs in expected:
        for ours, theirs in zip(pool.get(), outputs):
            np.testing.assert_array_equal(ours, theirs)
    assert [now - then for now, then in zip(runs_by_core(), before)] == [4, 4, 4]
    memory = [session_of(lite).stats.memory for lite in pool.objects]
    weights = memory[0]["weights"]
    assert [each["dma"] for each in memory] == [memory[0]["dma"]] + [memory[0]["dma"] - weights] * 2
    pool.release()


@pytest.mark.usefixtures("compute_off")
def test_weights_are_shared_with_whoever_is_there(open_lite: OpenLite) -> None:
    """Also when the object that loaded them is gone, as long as another one has them."""
    first, second = open_lite(), open_lite()
    own = session_of(first).stats.memory["dma"]
    first.release()
    third = open_lite()
    borrowed = session_of(third).stats.memory
    assert borrowed["dma"] == own - borrowed["weights"]
    for lite in (second, third):
        assert lite.inference([np.zeros((1, 16, 16, 3), np.uint8)]) is not None
        lite.release()
    assert session_of(open_lite()).stats.memory["dma"] == own


@pytest.mark.usefixtures("compute_off")
def test_a_file_that_was_replaced_is_another_model(tmp_path: Path, data: Path) -> None:
    """What is loaded is what the file has then; what was loaded stays."""
    path, next_ = tmp_path / "model.rknn", tmp_path / "next.rknn"
    shutil.copy(data / "tiny_conv_int8.rknn", path)
    shutil.copy(data / "conv_c5_int8.rknn", next_)
    former, latter = RKNNLite(), RKNNLite()
    former.load_rknn(str(path))
    os.replace(next_, path)
    latter.load_rknn(str(path))
    assert (former.init_runtime(), latter.init_runtime()) == (0, 0)
    for lite, channels in ((former, 3), (latter, 5)):
        assert lite.rknn_runtime is not None
        assert lite.rknn_runtime.get_tensor_attr(0).dims[3] == channels
        lite.release()


@pytest.mark.usefixtures("compute_off")
def test_a_model_may_be_given_as_bytes(data: Path) -> None:
    """Where a program has read the file itself."""
    lite = RKNNLite()
    lite.rknn_data = (data / "tiny_conv_int8.rknn").read_bytes()
    assert lite.init_runtime() == 0
    assert lite.inference([np.zeros((1, 16, 16, 3), np.uint8)]) is not None
    lite.release()


@pytest.mark.usefixtures("compute_off")
def test_a_dynamic_model_is_loaded_for_each_object(open_lite: OpenLite) -> None:
    """Rockchip's runtime shares no weights of one."""
    memory = [session_of(open_lite("dynamic_fp16")).stats.memory["dma"] for _ in range(2)]
    assert memory[0] == memory[1]


def _in_child(path: str, answers: Any) -> None:
    lite = RKNNLite()
    codes = lite.load_rknn(path), lite.init_runtime(core_mask=RKNNLite.NPU_CORE_1)
    outputs = lite.inference([np.zeros((1, 16, 16, 3), np.uint8)])
    lite.release()
    answers.put((codes, outputs is not None))


@pytest.mark.usefixtures("compute_off")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_loads_the_model_itself(open_lite: OpenLite, data: Path) -> None:
    """The weights that its parent has are not on its contexts."""
    open_lite()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(str(data / "tiny_conv_int8.rknn"), answers))
    child.start()
    assert answers.get(timeout=60) == ((0, 0), True)
    child.join()
