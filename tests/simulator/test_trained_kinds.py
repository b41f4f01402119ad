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
from ez_rknn_async.simulator.overflow import overflows, warning
from ez_rknn_async.simulator.references import Compiled

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


@pytest.mark.parametrize("name", ["clip_fp", "ends_fp", "lstm_named_empty_fp"])
def test_operands_that_are_computed_or_left_out(name: str) -> None:
    """A clip's computed bound, a part of a split that nothing reads, an LSTM's operand with an empty name."""
    alike, _ = distance(name)
    assert alike >= 0.9999


def test_squares_that_float16_cannot_hold_vanish() -> None:
    """Squares of numbers around 1e-4 are below the smallest float16 number; in float32 they would look right."""
    _, error = distance("tiny_fp")
    assert error == 0


def test_scales_of_14_bits_cost_what_the_documentation_says() -> None:
    """Where weights spread over four decades the small channels' scales have few bits, as they have on the NPU."""
    alike, steps = distance("spread_dw_i8")
    assert alike >= 0.9995
    assert steps <= 11.01


def test_layers_that_leave_the_range_of_float16_are_named() -> None:
    """Infinity arises in the square; what comes out of the root is a consequence."""
    with load(str(CASES / "tiny_fp.rknn")) as model:
        graph = model.graphs[0]
        network = Compiled(model, 0, rounding=True)
    x = np.full(graph.tensors[graph.inputs[0]].shape, 400.0, np.float32)
    found = overflows(graph, network.run({graph.tensors[graph.inputs[0]].name: x}))
    assert [one.operator for one in found] == ["Mul"]
    assert found[0].infinite == x.size
    message = warning(found)
    assert message is not None
    assert found[0].layer in message
    assert overflows(graph, network.run({graph.tensors[graph.inputs[0]].name: x / 400})) == []
