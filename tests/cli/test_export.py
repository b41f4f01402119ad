# SPDX-License-Identifier: Apache-2.0
"""``ezrknn export``: the files it writes, run in plain ONNX Runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async.cli import export as command
from ez_rknn_async.model import Graph, load

from ..simulator.host import FUNCTIONS
from ..simulator.recordings import Recording, executable, recording
from ..simulator.zoo import cosine
from .conftest import Ezrknn

EXECUTABLE = executable()


def run_plainly(file: Path, arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a file in ONNX Runtime with its own settings, arrays in the order of the inputs, as any program would."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # On processors without VNNI its fused int8 products saturate at 16 bits otherwise: cosine 0.9986 for attention.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(str(file), options)
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
    feed = {
        spec.name: array.astype(types[spec.type]).reshape(spec.shape)
        for spec, array in zip(session.get_inputs(), arrays)
    }
    outputs: list[NDArray[Any]] = session.run(None, feed)
    return outputs


def first_inference(model: Recording) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Return the first inference of a batch."""
    inputs, outputs = model.cases()[0]
    batch = model.entry["batch"]
    return ([np.split(array, batch)[0] for array in arrays] for arrays in (inputs, outputs))  # type: ignore[return-value]


def first_graph(model: Recording) -> Graph:
    with load(str(model.path)) as loaded:
        return loaded.graphs[0]


@pytest.mark.parametrize("model", EXECUTABLE, ids=lambda model: model.name)
def test_exported_models_compute_what_the_official_simulator_computes(
    model: Recording, ezrknn: Ezrknn, tmp_path: Path
) -> None:
    """The file has to withstand the fusions of plain ONNX Runtime."""
    file = tmp_path / "model.onnx"
    inputs, expected = first_inference(model)
    with load(str(model.path)) as loaded:
        shapes = [[g.tensors[i].shape[1:] for i in g.inputs] for g in loaded.graphs]
    graph = shapes.index([a.shape[1:] for a in inputs]) if len(shapes) > 1 else 0
    ezrknn("export", model.path, "-o", file, "--graph", graph)
    outputs = run_plainly(file, inputs)
    assert len(outputs) == len(expected)
    for ours, theirs in zip(outputs, expected):
        assert cosine(ours, theirs) >= model.cosine


@pytest.mark.parametrize("name", ["residual_int8", "mean_std_fp16", "two_inputs_int8", "block_fp16", "tokens_fp16"])
def test_exported_models_compute_what_a_session_computes(name: str, ezrknn: Ezrknn, tmp_path: Path) -> None:
    """Results agree within one unit of a quantised output's scale: other threads and kernels may break a tie the other
    way.

    Not for int8 models with a mean: a board's fixed-point conversion of images cuts off where ONNX rounds.
    """
    model, file = recording(name), tmp_path / "model.onnx"
    ezrknn("export", model.path, "-o", file)
    inputs, _ = first_inference(model)
    with InferenceSession(model.path, provider_options=make_provider_options(runtime_library="simulator")) as session:
        expected = session.run(None, inputs)
        names = session.output_names
    assert [value.name for value in onnx.load(file).graph.output] == names
    graph = first_graph(model)
    for index, ours, theirs in zip(graph.outputs, run_plainly(file, inputs), expected):
        quantization = graph.tensors[index].quantization
        step = quantization.scale[0] if quantization else float(np.abs(theirs).max()) * 2**-8
        assert np.abs(ours - theirs).max() <= 1.01 * step


@pytest.mark.parametrize("options", [[], ["--float"]], ids=["quantised", "float"])
@pytest.mark.parametrize("model", EXECUTABLE, ids=lambda model: model.name)
def test_exported_models_are_valid_and_readable(
    model: Recording, options: list[str], ezrknn: Ezrknn, tmp_path: Path
) -> None:
    """The model passes the checker with inferred shapes, tensors and nodes keep their names, and no name is used
    twice."""
    file = tmp_path / "model.onnx"
    ezrknn("export", model.path, "-o", file, *options)
    exported, graph = onnx.load(file), first_graph(model)
    onnx.checker.check_model(exported, full_check=True)
    assert [value.name for value in exported.graph.input] == [graph.tensors[index].name for index in graph.inputs]
    made = [name for node in exported.graph.node for name in node.output]
    names = [*made, *(value.name for value in (*exported.graph.input, *exported.graph.initializer))]
    assert Counter(names).most_common(1)[0][1] == 1
    assert Counter(node.name for node in exported.graph.node).most_common(1)[0][1] == 1
    assert not [name for name in names if "@" in name]
    (last,) = graph.nodes[-1].inputs[:1]
    assert graph.tensors[last].name in made
    stems = {node.name for node in graph.nodes}
    assert any(node.name.startswith(tuple(stems)) for node in exported.graph.node)
    described = {value.name for value in (*exported.graph.value_info, *exported.graph.output)}
    assert set(made) <= described, "Netron shows the shape of every value"


def test_a_quantised_model_has_qdq_and_its_float_version_has_none(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """--float drops both quantisation and rounding to float16; the weights are the same numbers."""
    operators, weights = [], []
    for options in ([], ["--float"]):
        ezrknn("export", data / "residual_int8.rknn", "-o", tmp_path / "model.onnx", *options)
        graph = onnx.load(tmp_path / "model.onnx").graph
        operators.append(Counter(node.op_type for node in graph.node))
        # An average of quantised numbers is a convolution too, but without weights in the file.
        kernels = [t for t in graph.initializer if t.name.startswith("Conv") and t.name.endswith("/W")]
        weights.append({t.name: onnx.numpy_helper.to_array(t) for t in kernels})
    assert operators[0]["QuantizeLinear"] == operators[0]["DequantizeLinear"] > 5
    assert not {"QuantizeLinear", "DequantizeLinear", "Cast"} & set(operators[1])
    # A quantised mean is a convolution, in the official simulator's order of additions; a float one is a pool.
    assert {name for name in weights[0] if name not in weights[1]} <= {n for n in weights[0] if "AveragePool" in n}
    assert len(weights[1]) > 5
    for name, values in weights[1].items():
        np.testing.assert_array_equal(values, weights[0][name])


def test_scales_and_bounds_are_scalars(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """ONNX requires it, and ONNX Runtime refuses some quantised operators otherwise."""
    ezrknn("export", data / "residual_int8.rknn", "-o", tmp_path / "model.onnx")
    constants = onnx.load(tmp_path / "model.onnx").graph.initializer
    scalars = [t for t in constants if t.name.endswith(("_scale", "_zero_point", "/min", "/max"))]
    assert len(scalars) > 20
    assert [t.name for t in scalars if t.dims] == []


def test_the_graph_normalises_its_input(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """The input is the user's image, before mean and standard deviation."""
    ezrknn("export", data / "mean_std_fp16.rknn", "-o", tmp_path / "model.onnx")
    nodes = onnx.load(tmp_path / "model.onnx").graph.node
    assert [node.op_type for node in nodes][:2] == ["Sub", "Div"]
    assert nodes[0].input[0] == "x"


def test_exports_the_largest_shapes_by_default(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """The command says which shapes it took."""
    file, sizes = tmp_path / "model.onnx", []
    text = ezrknn("export", data / "dynamic_fp16.rknn", "-o", file)
    assert "graph 0 of 3 (x 1x3x16x16)" in text
    for number in ("0", "1", "2"):
        ezrknn("export", data / "dynamic_fp16.rknn", "-o", file, "--graph", number)
        sizes.append([d.dim_value for d in onnx.load(file).graph.input[0].type.tensor_type.shape.dim])
    assert sizes == [[1, 3, 16, 16], [1, 3, 12, 12], [1, 3, 8, 8]]


def test_the_file_says_where_it_comes_from(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """Netron shows this metadata; the command's JSON has the same."""
    file = tmp_path / "model.onnx"
    description = json.loads(ezrknn("export", data / "rk3566_block_int8.rknn", "-o", file, "--json"))
    exported = onnx.load(file)
    metadata = {entry.key: entry.value for entry in exported.metadata_props}
    assert metadata == description["metadata"]
    assert metadata["rknn_file"] == "rk3566_block_int8.rknn"
    assert metadata["rknn_target_platform"] == "rk3566"
    assert metadata["rknn_toolkit_version"] == "2.5.0"
    assert exported.producer_name == "ez-rknn-async"
    assert description["quantized"]
    assert description["bytes"] == file.stat().st_size


def test_writes_beside_the_model_by_default(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """MODEL.rknn becomes MODEL.onnx."""
    copy = tmp_path / "mine.rknn"
    copy.write_bytes((data / "batch4_int8.rknn").read_bytes())
    assert "one of the 4 inferences" in ezrknn("export", copy)
    onnx.checker.check_model(onnx.load(tmp_path / "mine.onnx"))


def test_never_overwrites_the_model_itself(ezrknn_refuses: Ezrknn, data: Path, tmp_path: Path) -> None:
    """Not even if -o names it."""
    copy = tmp_path / "mine.rknn"
    content = (data / "block_int8.rknn").read_bytes()
    copy.write_bytes(content)
    assert "is the model itself" in ezrknn_refuses("export", copy, "-o", copy)
    assert copy.read_bytes() == content


def test_weights_too_large_for_one_message_go_to_a_separate_file(
    ezrknn: Ezrknn, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ONNX's own way around the limit of protobuf; exporting again does not append to the file."""
    monkeypatch.setattr(command, "_LARGEST_MESSAGE", 1000)
    file = tmp_path / "model.onnx"
    inputs, expected = first_inference(recording("residual_int8"))
    for _ in range(2):
        ezrknn("export", data / "residual_int8.rknn", "-o", file)
        sizes = [(tmp_path / name).stat().st_size for name in ("model.onnx", "model.onnx.data")]
    assert sizes[0] + sizes[1] < 100_000
    assert sizes[1] > 10_000
    for ours, theirs in zip(run_plainly(file, inputs), expected):
        assert cosine(ours, theirs) >= 0.999


def custom_operator(name: str, **expected: Any) -> type[OpRun]:
    """Return a custom operator for ONNX's own evaluator, as a program that runs an exported model brings it."""

    def run(self: OpRun, *operands: Any, **attributes: Any) -> tuple[Any, ...]:
        given = {key: list(value) if isinstance(value, np.ndarray) else value for key, value in attributes.items()}
        assert given == expected
        return tuple(value.astype(np.float32) for value in FUNCTIONS[name](*operands))

    return type(name, (OpRun,), {"op_domain": "ez_rknn_async.custom", "_run": run})


def test_custom_operators_are_nodes_of_a_separate_domain(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """They keep the file's attributes and take and give float32, so a program that has the functions can run the
    model."""
    file = tmp_path / "model.onnx"
    ezrknn("export", data / "custom_blend_fp16.rknn", "-o", file)
    model = onnx.load(file)
    onnx.checker.check_model(model)
    blend = custom_operator(
        "cstBlend", alpha=0.25, signs=[1, -1], offsets=[0.5, -0.25, 0.125], repeat=2, mode="difference"
    )
    evaluator = ReferenceEvaluator(model, new_ops=[blend, custom_operator("cstDouble")])
    inputs, expected = first_inference(recording("custom_blend_fp16"))
    feeds = {value.name: array for value, array in zip(model.graph.input, inputs)}
    for ours, theirs in zip(evaluator.run(None, feeds), expected):
        assert cosine(ours, theirs) >= 0.9999


def test_errors_are_one_line(ezrknn_refuses: Ezrknn, data: Path, tmp_path: Path) -> None:
    """A graph that does not exist, a model that cannot be executed, an unwritable path."""
    file = tmp_path / "model.onnx"
    assert "no graph 3; it has 3" in ezrknn_refuses("export", data / "dynamic_fp16.rknn", "-o", file, "--graph", 3)
    assert "GRU" in ezrknn_refuses("export", data / "gru_clip_fp16.rknn", "-o", file)
    assert not file.exists()
    nowhere = tmp_path / "nowhere" / "model.onnx"
    assert "cannot be written" in ezrknn_refuses("export", data / "block_int8.rknn", "-o", nowhere)


@pytest.mark.parametrize("arguments", [["export", "-o", "model.onnx"], ["compare"]], ids=["export", "compare"])
@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_names_a_missing_package_and_the_extra_that_brings_it(
    arguments: list[str], package: str, data: Path, tmp_path: Path
) -> None:
    """Neither is installed on a board; export works without ONNX Runtime."""
    script = f"import sys; sys.modules[{package!r}] = None; from ez_rknn_async.cli import main; sys.exit(main())"
    command, *options = arguments
    done = subprocess.run(
        [sys.executable, "-c", script, command, str(data / "block_int8.rknn"), *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if (command, package) == ("export", "onnxruntime"):
        assert done.returncode == 0
        return
    assert done.returncode == 1
    assert f"needs the package {package}" in done.stderr
    assert "pip install 'ez-rknn-async[simulator]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
