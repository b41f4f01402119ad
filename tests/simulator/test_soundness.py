# SPDX-License-Identifier: Apache-2.0
"""Damaged but readable graphs: refused at load with our own error, before anything is computed."""

from __future__ import annotations

import re
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import helper

import ez_rknn_async as rknn
from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import Kind, load
from ez_rknn_async.model.operators import registers
from ez_rknn_async.simulator.executable import Executable
from ez_rknn_async.simulator.lowering import builder, lower
from ez_rknn_async.simulator.operands import Operator, fit
from ez_rknn_async.simulator.soundness import check_soundness

from ..model.changing import Changing
from .recordings import executable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .recordings import Recording

FOREIGN = re.compile("onnx|ShapeInference|Status|Error:", re.IGNORECASE)


def refusal(content: bytes) -> str:
    """Return the error for a readable file."""
    with load(content) as model, pytest.raises(RknnModelError) as caught:
        Executable(model).open()
    return str(caught.value)


@pytest.fixture(scope="module")
def block(data: Path) -> bytes:
    """A residual block of quantised convolutions."""
    return (data / "block_int8.rknn").read_bytes()


@pytest.mark.parametrize("recording", executable(), ids=lambda recording: recording.name)
def test_models_from_compilers_are_sound(recording: Recording) -> None:
    """Every shape is known beforehand, and equals that of the file."""
    with load(recording.path) as model:
        for index, graph in enumerate(model.graphs):
            check_soundness(lower(model, index), graph)


@pytest.mark.parametrize(
    "values",
    [
        {"strides": (2, 2)},
        {"strides": (0, 0)},
        {"strides": (-1, -1)},
        {"dilations": (2**30, 2**30)},
        {"dilations": (0, 0)},
        {"pads": (2**30, 2**30, 2**30, 2**30)},
        {"pads": (-(2**30),) * 4},
    ],
    ids=str,
)
def test_rejects_attributes_that_contradict_the_shapes_of_the_file(block: bytes, values: Mapping[str, Any]) -> None:
    """If they were trusted, a graph would fail when it is run, or take gigabytes and minutes."""
    with load(block) as model:
        node = next(node for node in model.graphs[0].nodes if node.op.startswith("Conv"))
    said = refusal(Changing(block).parameters(node.index, "Conv", values))
    assert not FOREIGN.search(said)
    assert re.search(r"layer 'Conv:|tensor '", said)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_rejects_results_of_another_shape(block: bytes, size: int) -> None:
    """The declared shape is bound to memory, and the next layers expect it."""
    with load(block) as model:
        tensor = next(
            tensor
            for tensor in model.graphs[0].tensors
            if tensor.kind is Kind.INTERMEDIATE and len(tensor.shape) == 4 and "Secondary" not in tensor.name
        )
    said = refusal(Changing(block).tensor(tensor.index, {"shape": (*tensor.shape[:3], size)}))
    assert not FOREIGN.search(said)


def test_rejects_weights_that_do_not_fit_their_operator(data: Path) -> None:
    """ONNX Runtime checks some operands only when it computes."""
    content = (data / "plain_recurrent_int8.rknn").read_bytes()
    with load(content) as model:
        graph = model.graphs[0]
        node = next(node for node in graph.nodes if node.op == "RNN")
        tensor = graph.tensors[node.inputs[2]]
    directions, rows, columns = tensor.shape
    said = refusal(Changing(content).tensor(tensor.index, {"shape": (directions, rows, columns - 1)}))
    assert "layer 'RNN:rnn0'" in said


def test_refuses_a_slow_file_of_the_collection_at_once(shared: Path) -> None:
    """Its seventy kilobytes once took many seconds and gigabytes, and then failed."""
    path = shared / "cases" / "damaged" / "slow.rknn"
    begin = time.process_time()
    tracemalloc.start()
    try:
        said = refusal(path.read_bytes())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - begin < 5
    assert peak < 100e6
    assert "tensor 'New_input_x' should have shape" in said
    with pytest.raises(RknnModelError, match="the model file is damaged"):
        rknn.InferenceSession(path, providers=["RKNPU2SimulatorExecutionProvider"])


def test_rejects_a_window_far_larger_than_the_map(data: Path) -> None:
    """The mean of quantised numbers is computed with a kernel of that size, which would take gigabytes."""
    content = (data / "residual_int8.rknn").read_bytes()
    with load(content) as model:
        node = next(node for node in model.graphs[0].nodes if node.op == "AveragePool")
    said = refusal(Changing(content).parameters(node.index, "AveragePool", {"kernel_shape": (2**14, 2**14)}))
    assert f"layer {node.name!r}" in said


def test_rejects_layers_that_share_data_without_end(block: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer has separate weights in float32: many layers on one weight of a small file would need gigabytes."""
    monkeypatch.setattr(builder, "_SHARED", 0)
    monkeypatch.setattr(builder, "_SPARE_ROOM", 1000)
    assert "share more data" in refusal(block)


def test_rejects_more_register_commands_than_any_graph_has(block: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of tasks may point to the same commands, each of which is decoded separately."""
    monkeypatch.setattr(registers, "_MAX_DECODED", 100)
    assert "over 100 register commands" in refusal(block)


@pytest.mark.parametrize(
    ("operator", "shapes", "attributes", "constant", "fits"),
    [
        ("Reshape", [(2, 3), (2,), (3, 2)], {}, None, True),
        ("Reshape", [(2, 3), (2,), (3, 3)], {}, None, False),
        ("Conv", [(1, 4, 5, 5), (6, 2, 3, 3), (1, 6, 3, 3)], {"group": 2}, None, True),
        ("Conv", [(1, 4, 5, 5), (6, 4, 3, 3), (1, 6, 3, 3)], {"group": 2}, None, False),
        ("Conv", [(1, 4, 5, 5), (6, 4, 3, 3), (1, 6, 3, 3)], {"group": 0}, None, False),
        ("Conv", [(1, 4, 5, 5), (6, 4, 3, 3), (5,), (1, 6, 3, 3)], {}, None, False),
        ("ConvTranspose", [(1, 4, 5, 5), (4, 6, 3, 3), (1, 6, 7, 7)], {}, None, True),
        ("ConvTranspose", [(1, 3, 5, 5), (4, 6, 3, 3), (1, 6, 7, 7)], {}, None, False),
        ("ConvTranspose", [(1, 4, 5, 5), (4, 6, 3, 3), (1, 6, 9, 9)], {"output_padding": [2, 2]}, None, False),
        ("GRU", [(7, 2, 3), (1, 15, 3), (1, 15, 5), (7, 1, 2, 5)], {"hidden_size": 5}, None, True),
        ("GRU", [(7, 2, 3), (1, 15, 3), (1, 15, 4), (7, 1, 2, 5)], {"hidden_size": 5}, None, False),
        ("LSTM", [(7, 2, 3), (1, 15, 3), (1, 15, 5), (7, 1, 2, 5)], {"hidden_size": 5}, None, False),
        ("BatchNormalization", [(1, 4, 5), (4,), (4,), (4,), (4,), (1, 4, 5)], {}, None, True),
        ("BatchNormalization", [(1, 4, 5), (4,), (4,), (5,), (4,), (1, 4, 5)], {}, None, False),
        ("MatMulIntegerToFloat", [(1, 7, 4), (4, 6), (), (6,), (1, 7, 6)], {}, None, True),
        ("MatMulIntegerToFloat", [(1, 7, 4), (5, 6), (), (6,), (1, 7, 6)], {}, None, False),
        ("Split", [(6, 4), (2,), (6, 4)], {"axis": 1}, None, True),
        ("Split", [(6, 4), (2,), (6, 3)], {"axis": 1}, None, False),
        ("Gather", [(6, 4), (2,), (2, 4)], {"axis": 0}, [5, -6], True),
        ("Gather", [(6, 4), (2,), (2, 4)], {"axis": 0}, [5, 6], False),
        ("Gather", [(6, 4), (2,), (2, 4)], {"axis": 7}, [0, 0], False),
        ("GatherND", [(6, 4), (1, 2), (1,)], {}, [[5, 3]], True),
        ("GatherND", [(6, 4), (1, 2), (1,)], {}, [[5, 4]], False),
        ("ScatterND", [(6, 4), (1, 2), (1,), (6, 4)], {}, [[5, 3]], True),
        ("ScatterND", [(6, 4), (1, 2), (2,), (6, 4)], {}, [[5, 3]], False),
        ("TopK", [(6, 4), (1,), (6, 4)], {"axis": 1}, None, True),
        ("TopK", [(6, 4), (1,), (6, 5)], {"axis": 1}, None, False),
        ("Pad", [(6,), (2,), (10,)], {"mode": "reflect"}, [2, 2], True),
        ("Pad", [(2,), (2,), (6,)], {"mode": "reflect"}, [2, 2], False),
        ("PRelu", [(1, 4, 5), (4, 1), (1, 4, 5)], {}, None, True),
        ("PRelu", [(1, 4, 5), (3, 1), (1, 4, 5)], {}, None, False),
        ("Mod", [(6,), (2,), (6,)], {}, [3, 1], True),
        ("Mod", [(6,), (2,), (6,)], {}, [3, 0], False),
        ("Relu", [(6,), (6,)], {}, None, True),
    ],
)
def test_checks_if_operands_fit(
    operator: str, shapes: list[tuple[int, ...]], attributes: dict[str, Any], constant: Any, fits: bool
) -> None:
    """ONNX Runtime would only notice while it computes; the last shape is the result's."""
    inputs = [f"x{place}" for place in range(len(shapes) - 1)]
    node = helper.make_node(operator, inputs, ["y"], **attributes)
    numbers = None if constant is None else np.array(constant)
    assert fit(Operator(node, shapes[:-1], shapes[-1:], lambda name: numbers if name == "x1" else None)) is fits
