# SPDX-License-Identifier: Apache-2.0
"""Roundings inside attention, read from the commands for the NPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ez_rknn_async.model import RegisterFile, load
from ez_rknn_async.model.operators.attention import attention_roundings

if TYPE_CHECKING:
    from pathlib import Path

    from ez_rknn_async.model.operators.attention import AttentionRoundings


def roundings(path: Path) -> list[AttentionRoundings | None]:
    with load(str(path)) as model:
        (graph,) = model.graphs
        registers = RegisterFile(model, graph)
        return [
            attention_roundings(model, graph, node, registers) for node in graph.nodes if node.op == "exSDPAttention"
        ]


def test_a_mask_leaves_one_key_to_the_first_query(data: Path) -> None:
    """Its weight was 1 in calibration, which is the scale of all weights, exactly."""
    (found,) = roundings(data / "masked_attention_int8.rknn")
    assert found is not None
    assert found.weights.scale == 1 / 255
    assert found.weights.zero_point == -128


@pytest.mark.parametrize("name", ["attention_int8", "rk3562_attention_int8"])
def test_weights_are_shares(data: Path, name: str) -> None:
    """None was above 1 in calibration, and one of eight was at least an eighth; the scores' span has a zero."""
    (found,) = roundings(data / f"{name}.rknn")
    assert found is not None
    assert 1 / 8 <= found.weights.scale * 255 <= 1
    assert -128 <= found.scores.zero_point <= 127


def test_attention_in_float16_is_not_rounded(data: Path) -> None:
    """Its commands have no output scale."""
    assert roundings(data / "masked_attention_fp16.rknn") == [None]
