# SPDX-License-Identifier: Apache-2.0
"""Core masks: where an object's inferences run, on SoCs of three, two and one core."""

from __future__ import annotations

import threading
from typing import Callable

import numpy as np
import pytest

from ez_rknn_async._options.soc import SOCS
from ez_rknn_async.compat.rknnlite.cores import cores_of

from .conftest import OpenLite

# By SoC and mask: tp_mode, and whether it is warned of.
MEANINGS = {
    "rk3588": {
        0: ("auto", 0),
        1: ("0", 0),
        2: ("1", 0),
        4: ("2", 0),
        3: ("0,1", 0),
        7: ("0,1,2", 0),
        0xFFFF: ("all", 0),
    },
    "rk3576": {0: ("auto", 0), 1: ("0", 0), 2: ("1", 0), 4: ("0", 1), 3: ("0,1", 0), 7: ("0,1", 1), 0xFFFF: ("all", 0)},
    "rk3566": {0: ("auto", 0), 1: ("auto", 1), 7: ("auto", 1), 0xFFFF: ("auto", 1)},
}

# By mask: how many inferences of one each core takes part in.
USED = {1: [1, 0, 0], 2: [0, 1, 0], 4: [0, 0, 1], 3: [1, 1, 0], 7: [1, 1, 1], 0xFFFF: [1, 1, 1]}


@pytest.mark.parametrize("soc", MEANINGS)
def test_masks_mean_the_cores_that_there_are(soc: str) -> None:
    """Programs for three cores run on fewer, with a warning."""
    for mask, (tp_mode, warned) in MEANINGS[soc].items():
        cores = cores_of(np.int64(mask), SOCS[soc])
        assert (cores.tp_mode, bool(cores.warning)) == (tp_mode, bool(warned))


@pytest.mark.usefixtures("compute_off")
@pytest.mark.parametrize(("mask", "used"), USED.items())
def test_an_inference_runs_on_the_cores_of_its_mask(
    open_lite: OpenLite, runs_by_core: Callable[[], list[int]], mask: int, used: list[int]
) -> None:
    """Counted by the simulated NPU."""
    assert open_lite(core_mask=mask).inference([np.zeros((1, 16, 16, 3), np.uint8)]) is not None
    assert runs_by_core() == used


@pytest.mark.usefixtures("compute_off")
@pytest.mark.parametrize(("soc", "mask"), [("rk3576", 7), ("rk3576", 4), ("rk3566", 2)])
def test_what_became_of_a_mask_is_told(
    open_lite: OpenLite, caplog: pytest.LogCaptureFixture, soc: str, mask: int
) -> None:
    """As a warning; the object works."""
    open_lite(f"{soc}_block_int8", core_mask=mask)
    assert [r.levelname for r in caplog.records if f"core_mask={mask} is" in r.getMessage()] == ["WARNING"]


@pytest.mark.usefixtures("compute_off")
def test_threads_that_share_an_object_wait_for_one_another(
    open_lite: OpenLite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object is one inference at a time: more callers than its queue has places all get their results."""
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "compute=off,timing=fixed:2000")
    lite, results = open_lite(core_mask=1), []
    image = np.zeros((1, 16, 16, 3), np.uint8)
    threads = [threading.Thread(target=lambda: results.append(lite.inference([image]))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 12
    assert all(result is not None for result in results)
