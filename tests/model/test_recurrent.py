# SPDX-License-Identifier: Apache-2.0
"""The parts of LSTM and GRU layers besides their weights, whose numbers the tests of the simulator check."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import RegisterFile
from ez_rknn_async.model.operators.recurrent import Recurrent, recurrent
from ez_rknn_async.model.operators.unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ez_rknn_async.model import Model


def read(model: Model, changed: dict[str, Any] | None = None, without: str = "") -> Recurrent:
    """Return the model's only recurrent layer, with some of its node's attributes changed or left out."""
    graph = model.graphs[0]
    (node,) = [node for node in graph.nodes if node.op.endswith(("LSTM", "GRU"))]
    attributes = {**node.attributes, **(changed or {})}
    attributes.pop(without, None)
    return recurrent(model, graph, replace(node, attributes=attributes), RegisterFile(model, graph))


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("lstm_reverse_fp16", "reverse"),
        ("lstm_clip_fp16", "forward"),
        ("lstm_lengths_fp16", "bidirectional"),
        ("gru_reverse_fp16", "reverse"),
        ("gru_bidirectional_fp16", "bidirectional"),
    ],
)
def test_reads_the_direction(open_model: Callable[[str], Model], name: str, direction: str) -> None:
    """A layer that runs the wrong way gives plausible numbers."""
    layer = read(open_model(name))
    assert layer.direction == direction
    assert layer.hidden_size == 10  # the incoming states are padded to 16
    assert layer.weight.shape[0] == (2 if direction == "bidirectional" else 1)


@pytest.mark.parametrize(
    ("name", "direction"),
    [("lstm_reverse_fp16", "reverse"), ("lstm_reverse_int8", "reverse"), ("lstm_clip_fp16", "forward")],
)
def test_finds_an_unwritten_direction_in_the_commands(
    open_model: Callable[[str], Model], name: str, direction: str
) -> None:
    """Compilers before 2.5 give LSTMs no table of parameters."""
    assert read(open_model(name), without="hidden_size").direction == direction


def test_reads_clip_and_activations(open_model: Callable[[str], Model]) -> None:
    """An LSTM has them in its table."""
    assert read(open_model("lstm_clip_fp16")).attributes == {
        "clip": 0.5,
        "activations": ("HardSigmoid", "Relu", "Tanh"),
    }
    assert read(open_model("lstm_reverse_fp16")).attributes == {}


def test_reads_the_lengths_of_sequences(open_model: Callable[[str], Model]) -> None:
    """The network's own lengths count; zeros from the compiler mean none."""
    assert read(open_model("lstm_lengths_fp16")).lengths == (1,)
    assert read(open_model("lstm_reverse_fp16")).lengths == ()


def test_reads_both_rules_for_the_reset_gate(open_model: Callable[[str], Model]) -> None:
    """PyTorch has one, ONNX's default is the other."""
    assert read(open_model("gru_reverse_fp16")).attributes == {"linear_before_reset": 0}
    assert read(open_model("gru_bidirectional_fp16")).attributes == {"linear_before_reset": 1}


@pytest.mark.parametrize(
    ("name", "changed", "without", "why"),
    [
        ("lstm_reverse_fp16", {"input_forget": 1}, "", "coupled"),
        ("gru_reverse_fp16", {}, "linear_before_reset", "reset gate"),
        ("gru_reverse_fp16", {"direction": "forward"}, "", "clip"),
    ],
)
def test_refuses_unknown_attributes(
    open_model: Callable[[str], Model], name: str, changed: dict[str, Any], without: str, why: str
) -> None:
    """A refusal is better than a wrong number."""
    with pytest.raises(UnsupportedFormError, match=why):
        read(open_model(name), changed, without)


def test_a_damaged_layer_is_a_model_error(open_model: Callable[[str], Model]) -> None:
    """Missing operands are the file's fault."""
    model = open_model("lstm_reverse_fp16")
    graph = model.graphs[0]
    (node,) = [node for node in graph.nodes if node.op == "LSTM"]
    with pytest.raises(RknnModelError, match="damaged"):
        recurrent(model, graph, replace(node, inputs=node.inputs[:3]), RegisterFile(model, graph))
