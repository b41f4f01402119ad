# SPDX-License-Identifier: Apache-2.0
"""The weights that all sessions of a graph share, and how few of them are in memory twice while loading."""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from ez_rknn_async.model import load
from ez_rknn_async.simulator import optimized, optimizer
from ez_rknn_async.simulator.executable import Executable
from ez_rknn_async.simulator.lowering import builder
from ez_rknn_async.simulator.optimized import optimize
from ez_rknn_async.simulator.optimizer import run_optimizers
from ez_rknn_async.simulator.portions import portions

from .recordings import executable, recording
from .test_lowering import run
from .zoo import largest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .recordings import Recording

CHANNELS = 32
LAYERS = 4
WEIGHT = CHANNELS * CHANNELS * 4  # bytes of a layer's


def layers(*, known_shapes: bool = True) -> tuple[onnx.ModelProto, dict[str, NDArray[np.float32]]]:
    """A chain of pointwise convolutions as from lowering; optionally with no known shape."""
    rng = np.random.default_rng(0)
    nodes, weights, initializers = [], {}, []
    for layer in range(LAYERS):
        weights[f"weight{layer}"] = rng.standard_normal((CHANNELS, CHANNELS, 1, 1), np.float32)
        operator, domain = ("Conv", "") if known_shapes else ("FusedConv", "com.microsoft")
        names = [f"value{layer}", f"weight{layer}"]
        nodes.append(helper.make_node(operator, names, [f"value{layer + 1}"], domain=domain))
    for name, array in weights.items():
        placeholder = TensorProto(name=name, data_location=TensorProto.EXTERNAL, data_type=1, dims=array.shape)
        placeholder.external_data.add(key="location", value=builder.NO_FILE)
        initializers.append(placeholder)
    shape = [1, CHANNELS, 8, 8]
    ends = [helper.make_tensor_value_info(f"value{place}", TensorProto.FLOAT, shape) for place in (0, LAYERS)]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), weights


def computed(session: ort.InferenceSession) -> NDArray[np.float32]:
    image = np.linspace(-1, 1, CHANNELS * 64, dtype=np.float32).reshape(1, CHANNELS, 8, 8)
    result: NDArray[np.float32] = session.run(None, {"value0": image})[0]
    return result


def product_of_layers(weights: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Compute the expected result of :func:`layers`, by matrix products."""
    value = np.linspace(-1, 1, CHANNELS * 64, dtype=np.float32).reshape(CHANNELS, 64).astype(np.float64)
    for array in weights.values():
        value = array[:, :, 0, 0] @ value
    return value.reshape(1, CHANNELS, 8, 8)


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """One portion for each layer."""
    monkeypatch.setattr(optimized, "SMALLEST_PORTION", 1)
    monkeypatch.setattr(optimized, "PARTS", LAYERS)


@pytest.mark.usefixtures("small_portions")
def test_no_session_has_weights_of_its_own() -> None:
    """Each computes with the one copy of the arrays: with zeros, as soon as these hold zeros."""
    model, weights = layers()
    whole = optimize(model, weights)
    sessions = [whole.open(threads) for threads in (1, 2)]
    assert all(computed(session).any() for session in sessions)
    for value in whole.weights.values():
        ctypes.memset(value.data_ptr(), 0, CHANNELS * CHANNELS * 4)
    assert not any(computed(session).any() for session in sessions)


def test_sessions_keep_their_weights() -> None:
    """ONNX Runtime only points at them; a session may outlive everything else."""
    model, weights = layers()
    expected = product_of_layers(weights)
    session = optimize(model, weights).open(1)
    _others = [
        np.full((CHANNELS, CHANNELS), np.nan, np.float32) for _ in range(100)
    ]  # the weights would be here, if freed
    np.testing.assert_allclose(computed(session), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.usefixtures("small_portions")
def test_weights_are_released_portion_by_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all would exist in two orders, in twice the memory of the finished sessions."""
    model, weights = layers()
    alive = {name: weakref.ref(array) for name, array in weights.items()}
    left = []

    def run_and_count(*arguments: Any) -> Any:
        result = run_optimizers(*arguments)
        left.append(sum(reference() is not None for reference in alive.values()))
        return result

    monkeypatch.setattr(optimized, "run_optimizers", run_and_count)
    optimize(model, weights)
    assert left == [3, 2, 1, 0]
    assert not weights


def test_a_portion_has_a_limited_amount_of_weights() -> None:
    """The optimisers copy everything that they get."""
    model, weights = layers()
    sizes = {name: array.nbytes for name, array in weights.items()}
    for limit, expected in ((WEIGHT - 1, [1, 1, 1, 1]), (2 * WEIGHT, [2, 2]), (3 * WEIGHT, [3, 1]), (9 * WEIGHT, [4])):
        assert [len(part.graph.node) for part in portions(model, sizes, limit)] == expected


def test_there_is_no_border_at_an_unknown_shape() -> None:
    """A portion is a model of its own, whose inputs have shapes: the optimisers need them."""
    model, weights = layers(known_shapes=False)
    sizes = {name: array.nbytes for name, array in weights.items()}
    assert len(list(portions(model, sizes, WEIGHT))) == 1


@pytest.mark.usefixtures("small_portions")
def test_a_table_is_not_copied() -> None:
    """A language model's embeddings are half of its weights, and no optimiser changes them."""
    table = np.random.default_rng(0).standard_normal((1000, CHANNELS), np.float32)
    placeholder = TensorProto(name="table", data_location=TensorProto.EXTERNAL, data_type=1, dims=table.shape)
    placeholder.external_data.add(key="location", value=builder.NO_FILE)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "tokens"], ["rows"])],
        "embeddings",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, [5])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [5, CHANNELS])],
        [placeholder],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    whole = optimize(model, {"table": table})
    assert [value.data_ptr() for value in whole.weights.values()] == [table.ctypes.data]
    tokens = np.array([1, 0, 999, 7, 7])
    np.testing.assert_array_equal(whole.open(1).run(None, {"tokens": tokens})[0], table[tokens])


@pytest.fixture
def many_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A portion for nearly every operator with weights, as the test models have few."""
    for module in (builder, optimizer):
        monkeypatch.setattr(module, "EMBEDDED_BYTES", 128)
    monkeypatch.setattr(optimized, "SMALLEST_PORTION", 256)
    monkeypatch.setattr(optimized, "PARTS", 1 << 20)


@pytest.mark.usefixtures("many_portions")
@pytest.mark.parametrize("model", executable(), ids=lambda model: model.name)
def test_portions_compute_the_same_as_the_whole(model: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any border will do: operators that it keeps from being fused may differ in the last bit of a float16."""
    inputs, _ = model.cases()[0]
    in_portions = run(model, inputs)
    monkeypatch.setattr(optimized, "SMALLEST_PORTION", 1 << 40)
    for ours, theirs in zip(in_portions, run(model, inputs)):
        assert largest(ours - theirs) <= 2**-10 * largest(theirs)


@pytest.mark.usefixtures("many_portions")
def test_the_graphs_of_a_dynamic_model_compute_with_the_same_arrays() -> None:
    """Each is optimised separately, to the same weights."""
    with load(str(recording("dynamic_fp16").path)) as model:
        device = Executable(model)
    graphs = [device.session(graph, 0, 1).weights for graph in range(len(device.graphs))]
    pointers = [{value.data_ptr() for value in weights.values() if len(value.shape()) == 4} for weights in graphs]
    assert len(pointers) > 1
    assert pointers[0]
    assert all(others == pointers[0] for others in pointers[1:])
