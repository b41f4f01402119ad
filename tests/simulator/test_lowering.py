# SPDX-License-Identifier: Apache-2.0
"""The simulated NPU's results against those of the official simulator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import load
from ez_rknn_async.simulator.executable import open_session
from ez_rknn_async.simulator.lowering import UnsupportedOperatorError, lower
from ez_rknn_async.simulator.lowering.registry import lowering_of

from .recordings import Recording, executable, recording
from .zoo import Case, cases, cosine, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZOO = Path(__file__).resolve().parents[3] / "shared" / "zoo"
# A sample that shows if the whole zoo still passes; all of it: EZ_RKNN_TEST_ZOO=all, or tests/simulator/zoo.py.
SAMPLE = 1 if os.environ.get("EZ_RKNN_TEST_ZOO") == "all" else 8
# The models of the whole zoo that are below the line today; one that improves must be struck off.
KNOWN_MISSES = {
    ("conv_c64_64_k3", "mini"),  # another container
}


def run(model: Recording, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Run one call in real numbers; a batch is one inference after the other."""
    with load(str(model.path)) as loaded:
        graph = next(
            place
            for place, graph in enumerate(loaded.graphs)
            if all(
                graph.tensors[index].shape[1:] == values.shape[1:] or len(loaded.graphs) == 1
                for index, values in zip(graph.inputs, inputs)
            )
        )
        lowered = lower(loaded, graph, io="float")
    session = open_session(lowered)
    outputs = []
    for sample in zip(*(np.split(values, model.entry["batch"]) for values in inputs)):
        feeds = {
            port.name: values.astype(onnx.helper.tensor_dtype_to_np_dtype(port.element_type)).reshape(port.shape)
            for port, values in zip(lowered.inputs, sample)
        }
        outputs.append(session.run(None, feeds))
    return [np.concatenate(parts) for parts in zip(*outputs)]


@pytest.mark.parametrize("model", executable(), ids=lambda model: model.name)
def test_models_match_the_official_simulator(model: Recording) -> None:
    """Every committed model that can be executed is tested, for every recorded call."""
    for inputs, expected in model.cases():
        outputs = run(model, inputs)
        assert len(outputs) == len(expected)
        for ours, theirs in zip(outputs, expected):
            assert cosine(ours, theirs) >= model.cosine


def test_matrix_products_are_exact() -> None:
    """The second operand is rounded once more, with a zero point of 0; no optimiser may merge the two roundings."""
    model = recording("rk3566_attention_int8")
    for inputs, expected in model.cases():
        assert np.allclose(run(model, inputs), expected, rtol=1e-5, atol=1e-6)


EXACT = [
    "left_out_fp16",
    "batched_weight_int8",
    "rk3576_gelu_int8",
    "attention_int8",
    "rk3562_attention_int8",
    "rk3562_column_int8",
    "rk3562_sums_int8",
    "backwards_int8",
    "averages_int8",
]


@pytest.mark.parametrize("name", EXACT)
def test_rounds_exactly_where_the_official_simulator_does(name: str) -> None:
    """Attributes that the file leaves out because of their default values count too."""
    model = recording(name)
    for inputs, expected in model.cases():
        for ours, theirs in zip(run(model, inputs), expected):
            # Scales of weights have 14 bits in the file: one number in a thousand falls on the other side of a half.
            assert np.isclose(ours, theirs, rtol=1e-3, atol=1e-4).mean() > 0.99


@pytest.mark.parametrize("model", executable(), ids=lambda model: model.name)
def test_native_and_float_borders_compute_the_same(model: Recording) -> None:
    """The device process runs the exported model, but for the conversions of the runtime around it."""
    from .host import native, real

    with load(str(model.path)) as loaded:
        graph = loaded.graphs[0]
        natively = lower(loaded, 0, io="native")
        in_float = lower(loaded, 0, io="float")
    rng = np.random.default_rng(7)
    values = [
        rng.uniform(0, 2, port.shape).astype(onnx.helper.tensor_dtype_to_np_dtype(port.element_type))
        for port in in_float.inputs
    ]
    expected = open_session(in_float).run(None, {port.name: v for port, v in zip(in_float.inputs, values)})
    converted = {port.name: native(graph, place, v) for place, (port, v) in enumerate(zip(natively.inputs, values))}
    outputs = open_session(natively).run(None, converted)
    for index, ours, theirs in zip(graph.outputs, outputs, expected):
        quantization = graph.tensors[index].quantization
        # A tie may fall on the other side: the mean is subtracted in another place.
        step = quantization.scale[0] if quantization else float(np.abs(theirs).max()) * 2**-10
        assert np.abs(real(graph.tensors[index], ours) - theirs).max() <= 1.01 * step


@pytest.mark.parametrize("model", executable(), ids=lambda model: model.name)
def test_the_lowered_model_is_valid_onnx(model: Recording) -> None:
    """Other tools can save and open it, and it has the shapes of its inputs and outputs."""
    with load(str(model.path)) as loaded:
        lowered = lower(loaded, 0, io="float")
        graph = loaded.graphs[0]
    complete = lowered.to_onnx()
    onnx.checker.check_model(complete, full_check=True)
    assert [port.shape for port in lowered.outputs] == [graph.tensors[index].shape for index in graph.outputs]
    assert [spec.name for spec in complete.graph.input] == [port.name for port in lowered.inputs]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("without_weights_fp16", "remove_weight"),
        ("compressed_int8", "compress_weight"),
        ("mini_int8", "mini_rknn"),
        ("gru_clip_fp16", "its clip or its activations"),
        ("capped_fp16", "the upper bound of its Clip"),
    ],
)
def test_refuses_an_unsupported_model_with_advice(name: str, word: str) -> None:
    """The error names the operator or the option of the compiler that prevents execution."""
    with pytest.raises(RknnModelError, match=word), load(str(recording(name).path)) as model:
        lower(model)


def test_names_all_unknown_operators_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The author who has to change a network needs the whole list, not one operator each time."""
    monkeypatch.setattr(
        "ez_rknn_async.simulator.lowering.lowering_of",
        lambda operator: None if operator.startswith(("Conv", "MaxPool")) else lowering_of(operator),
    )
    with load(str(recording("block_int8").path)) as model, pytest.raises(UnsupportedOperatorError) as refused:
        lower(model)
    operators = {node.op for node in model.graphs[0].nodes if node.op.startswith(("Conv", "MaxPool"))}
    assert {problem.operator for problem in refused.value.problems} == operators
    assert len(operators) > 1


@pytest.mark.skipif(not ZOO.is_dir(), reason="the collection ../shared is not on this machine")
@pytest.mark.parametrize("name", ["net_mbv2", "net_res18"])
def test_networks_agree_with_the_official_simulator(name: str) -> None:
    """They are the networks of the walking skeleton, in every variant for rk3588 that the zoo has."""
    scores = [score(case) for case in cases(ZOO, ("fp", "i8"), name)]
    assert scores
    for one in scores:
        assert one.passed, one


def sample() -> list[Case]:
    return list(cases(ZOO))[::SAMPLE] if ZOO.is_dir() else []


@pytest.mark.skipif(not ZOO.is_dir(), reason="the collection ../shared is not on this machine")
@pytest.mark.parametrize("case", sample(), ids=lambda case: f"{case.model}-{case.variant}")
def test_the_zoo_agrees_with_the_official_simulator(case: Case) -> None:
    """Every n-th model of the zoo is tested, or all of them on request."""
    result = score(case)
    known = (case.model, case.variant) in KNOWN_MISSES
    assert result.passed != known, result
