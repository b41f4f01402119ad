# SPDX-License-Identifier: Apache-2.0
"""Cutting a graph at its custom operators."""

from __future__ import annotations

import onnx
import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import load
from ez_rknn_async.simulator.executable import open_session
from ez_rknn_async.simulator.lowering import Lowered, lower
from ez_rknn_async.simulator.lowering.lowered import CUSTOM_DOMAIN
from ez_rknn_async.simulator.stages import split

from .recordings import recording


def lowered(name: str) -> Lowered:
    with load(str(recording(name).path)) as model:
        return lower(model)


def test_a_graph_without_custom_operators_is_one_stage() -> None:
    """It is the very same graph: nothing is copied."""
    whole = lowered("block_int8")
    (stage,) = split(whole)
    assert stage is whole


@pytest.mark.parametrize("name", ["custom_operator_fp16", "custom_blend_fp16", "custom_blend_int8"])
def test_the_stages_are_models_that_fit_each_other(name: str) -> None:
    """Each is complete, and only takes outputs of an earlier stage, of an operator before it, or inputs of the
    graph."""
    whole = lowered(name)
    stages = split(whole)
    assert len(stages) == len(whole.custom_operators) + 1
    known = set(whole.inputs)
    for stage, operator in zip(stages, (*whole.custom_operators, None)):
        onnx.checker.check_model(stage.to_onnx(), full_check=True)
        open_session(stage)
        assert set(stage.inputs) <= known
        known |= set(stage.outputs)
        if operator is not None:
            assert set(operator.inputs) <= known
            known |= set(operator.outputs)
    assert set(whole.outputs) <= set(stages[-1].outputs)


def test_weights_go_only_to_the_stage_that_needs_them() -> None:
    """They are most of a model, and would otherwise be packed once for each stage."""
    whole = lowered("custom_blend_fp16")
    counts = [len(stage.weights) for stage in split(whole)]
    assert sum(counts) == len(whole.weights)
    assert counts[0]
    assert counts[-1]


def test_a_value_between_stages_needs_a_shape() -> None:
    """Its memory is bound before the first run."""
    whole = lowered("custom_blend_fp16")
    operator = next(node for node in whole.skeleton.graph.node if node.op_type == "cstBlend")
    carried = next(node for node in whole.skeleton.graph.node if operator.output[1] in node.input)
    carried.op_type, carried.domain = "cstElse", CUSTOM_DOMAIN
    with pytest.raises(RknnModelError, match="is not known"):
        split(whole)
