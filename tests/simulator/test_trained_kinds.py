# SPDX-License-Identifier: Apache-2.0
"""Layers that only trained networks have, each as the smallest model that shows it (``../shared/cases``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async.model import load
from ez_rknn_async.simulator.executable import open_session
from ez_rknn_async.simulator.lowering import lower
from ez_rknn_async.simulator.lowering.grid import grid_of

from .zoo import cosine, largest

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "models"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the collection ../shared is not on this machine")


def distance(name: str) -> tuple[float, float]:
    """Return the cosine to the official simulator's output, and the largest error in steps, if there are any."""
    recorded = np.load(CASES / f"{name}.npz")
    with load(str(CASES / f"{name}.rknn")) as model:
        lowered = lower(model, io="float")
        grid = grid_of(model.graphs[0].tensors[model.graphs[0].outputs[0]])
    session = open_session(lowered)
    x = recorded["x"].astype(np.float32).reshape(lowered.inputs[0].shape)
    y = session.run(None, {lowered.inputs[0].name: x})[0]
    return cosine(y, recorded["y"]), largest(y - recorded["y"]) / (1.0 if grid is None else grid.scale)


@pytest.mark.parametrize("name", ["dead_rk3576_i8", "plain_rk3576_i8", "mean_two_i8"])
def test_sums_that_the_npu_shifts(name: str) -> None:
    """Next to dead channels, sums of products are shifted before the bias; of long sums, before the next part."""
    alike, steps = distance(name)
    assert alike >= 0.9999
    assert steps <= 1.01
