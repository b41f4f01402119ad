# SPDX-License-Identifier: Apache-2.0
"""The patterns that most programs for RKNNLite are copied from, on a trained network: the demo's digits."""

from __future__ import annotations

import ctypes
import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ez_rknn_async.compat.rknnlite import RKNNLite

from .test_behind_its_back import Client

Scores = NDArray[np.float32]
CORES = (RKNNLite.NPU_CORE_0, RKNNLite.NPU_CORE_1, RKNNLite.NPU_CORE_2)
COUNT = 60
UINT8, NHWC = 3, 1  # of rknn_tensor_type and rknn_tensor_format


class Input(ctypes.Structure):
    """``rknn_input``."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("buf", ctypes.c_void_p),
        ("size", ctypes.c_uint32),
        ("pass_through", ctypes.c_uint8),
        ("type", ctypes.c_int),
        ("fmt", ctypes.c_int),
    )


@pytest.fixture(scope="module")
def digits(root: Path) -> dict[str, NDArray[Any]]:
    """Images as NHWC pixels, and the official simulator's scores."""
    with np.load(root / "examples" / "digits" / "digits_test.npz") as held_out:
        pixels = held_out["images"][:COUNT].repeat(6, axis=2).repeat(6, axis=3).transpose(0, 2, 3, 1)
        return {
            "images": np.ascontiguousarray(pixels),
            "labels": held_out["labels"][:COUNT],
            "scores": held_out["int8_logits"][:COUNT],
        }


@pytest.fixture
def objects(root: Path) -> Iterator[list[RKNNLite]]:
    """One for each core, all on one file."""
    opened = [RKNNLite() for _ in CORES]
    for lite, core in zip(opened, CORES):
        assert lite.load_rknn(str(root / "examples" / "digits" / "digits_i8.rknn")) == 0
        assert lite.init_runtime(core_mask=core) == 0
    yield opened
    for lite in opened:
        lite.release()


def assert_right(found: list[Scores], digits: dict[str, NDArray[Any]]) -> None:
    """As the official simulator has them, but for a step of int8; and nearly all of them right."""
    scores = np.concatenate(found)
    step = np.abs(digits["scores"]).max() / 127
    assert np.abs(scores - digits["scores"]).max() <= 2 * step
    assert (scores.argmax(1) == digits["labels"]).mean() > 0.95


def test_three_objects_in_a_pool_of_threads(
    objects: list[RKNNLite], digits: dict[str, NDArray[Any]], runs_by_core: Callable[[], list[int]]
) -> None:
    """Frames go to the objects in turn, and results come out of a queue, as many behind as there are cores."""
    before = runs_by_core()
    under_way: queue.Queue[Future[Any]] = queue.Queue()
    found = []
    with ThreadPoolExecutor(len(objects)) as pool:
        for number, image in enumerate(digits["images"]):
            under_way.put(pool.submit(objects[number % len(objects)].inference, [image[None]]))
            if number >= len(objects):
                found.append(under_way.get().result()[0])
        while not under_way.empty():
            found.append(under_way.get().result()[0])
    assert_right(found, digits)
    assert [now - then for now, then in zip(runs_by_core(), before)] == [COUNT // 3] * 3


def test_a_pool_of_contexts_through_ctypes(
    objects: list[RKNNLite], digits: dict[str, NDArray[Any]], runs_by_core: Callable[[], list[int]]
) -> None:
    """As Immich has it: one object, whose context is duplicated for each core; inputs, run and outputs without it."""
    before = runs_by_core()
    idle: queue.Queue[Client] = queue.Queue()
    master = Client(objects[0])
    for core in CORES:
        context = ctypes.c_uint64()
        assert master.lib.rknn_dup_context(ctypes.byref(master.context), ctypes.byref(context)) == 0
        assert master.lib.rknn_set_core_mask(context, core) == 0
        idle.put(Client(objects[0], context.value))

    def classify(image: NDArray[np.uint8]) -> Scores:
        client = idle.get()
        given = Input(0, image.ctypes.data, image.nbytes, 0, UINT8, NHWC)
        assert client.lib.rknn_inputs_set(client.context, 1, ctypes.byref(given)) == 0
        assert client.lib.rknn_run(client.context, None) == 0
        (scores,) = client.outputs()
        idle.put(client)
        return scores

    with ThreadPoolExecutor(len(CORES)) as pool:
        found = list(pool.map(classify, digits["images"]))
    while not idle.empty():
        client = idle.get()
        assert client.lib.rknn_destroy(client.context) == 0
    assert_right(found, digits)
    used = [now - then for now, then in zip(runs_by_core(), before)]
    assert sum(used) == COUNT
    assert min(used) > 0
