"""Damaged graphs that can be read are refused when they are loaded: in our words, and before anything is computed."""

from __future__ import annotations

import re
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

import ez_rknn_async as rknn
from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import Kind, load
from ez_rknn_async.simulator.executable import Executable
from ez_rknn_async.simulator.lowering import lower
from ez_rknn_async.simulator.soundness import check_soundness

from ..model.changing import Changing
from .recordings import executable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .recordings import Recording

FOREIGN = re.compile("onnx|ShapeInference|Status|Error:", re.IGNORECASE)


def refusal(content: bytes) -> str:
    """What is said about a file that can be read."""
    with load(content) as model, pytest.raises(RknnModelError) as caught:
        Executable(model).open()
    return str(caught.value)


@pytest.fixture(scope="module")
def block(data: Path) -> bytes:
    """A residual block of quantised convolutions."""
    return (data / "block_int8.rknn").read_bytes()


@pytest.mark.parametrize("recording", executable(), ids=lambda recording: recording.name)
def test_what_compilers_write_is_sound(recording: Recording) -> None:
    """Every shape is known beforehand, and is that of the file."""
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
def test_rejects_attributes_that_do_not_make_the_shapes_of_the_file(block: bytes, values: Mapping[str, Any]) -> None:
    """Were they believed, a graph would fail when it is run, or take gigabytes and minutes."""
    with load(block) as model:
        node = next(node for node in model.graphs[0].nodes if node.op.startswith("Conv"))
    said = refusal(Changing(block).parameters(node.index, "Conv", values))
    assert not FOREIGN.search(said)
    assert re.search(r"layer 'Conv:|tensor '", said)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_rejects_results_of_another_shape(block: bytes, size: int) -> None:
    """What is declared is what is bound to memory, and what the next layers expect."""
    with load(block) as model:
        tensor = next(
            tensor
            for tensor in model.graphs[0].tensors
            if tensor.kind is Kind.INTERMEDIATE and len(tensor.shape) == 4 and "Secondary" not in tensor.name
        )
    said = refusal(Changing(block).tensor(tensor.index, {"shape": (*tensor.shape[:3], size)}))
    assert not FOREIGN.search(said)


def test_rejects_weights_that_do_not_fit_their_operator(data: Path) -> None:
    """Operands that ONNX Runtime checks only when it computes are checked when a model is loaded."""
    content = (data / "plain_recurrent_int8.rknn").read_bytes()
    with load(content) as model:
        graph = model.graphs[0]
        node = next(node for node in graph.nodes if node.op == "RNN")
        tensor = graph.tensors[node.inputs[2]]
    directions, rows, columns = tensor.shape
    said = refusal(Changing(content).tensor(tensor.index, {"shape": (directions, rows, columns - 1)}))
    assert "layer 'RNN:rnn0'" in said


def test_a_slow_file_of_the_collection_is_refused_at_once(shared: Path) -> None:
    """Seventy kilobytes that once took many seconds and gigabytes, and then failed."""
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
