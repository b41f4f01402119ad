# SPDX-License-Identifier: Apache-2.0
"""``ezrknn compare``: the errors, the layer to blame, and the chart."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from ez_rknn_async.cli.error_chart import Bar, error_chart
from ez_rknn_async.model import load

from ..simulator.recordings import executable, recording
from ..simulator.zoo import cosine
from .conftest import Ezrknn

EXECUTABLE = executable()


@pytest.fixture
def residual(originals: ModuleType, tmp_path: Path) -> Path:
    """The original of residual_int8 and residual_fp16."""
    file = tmp_path / "residual.onnx"
    onnx.save(originals.residual(), file)
    return file


def recorded_inputs(name: str, folder: Path) -> Path:
    """The recorded inputs of a model as an .npz file with their names."""
    model = recording(name)
    with load(str(model.path)) as loaded:
        names = [loaded.graphs[0].tensors[index].name for index in loaded.graphs[0].inputs]
    file = folder / "inputs.npz"
    arrays: dict[str, Any] = dict(zip(names, model.cases()[0][0]))
    np.savez(file, **arrays)
    return file


def snr(ours: NDArray[Any], reference: NDArray[Any]) -> float:
    noise = np.square(ours.astype(np.float64) - reference).sum()
    return float(10 * np.log10(np.square(reference.astype(np.float64)).sum() / noise))


def test_errors_match_those_of_the_official_simulators_outputs(residual: Path, ezrknn: Ezrknn, tmp_path: Path) -> None:
    """The original in ONNX Runtime beside what the official simulator computed for the compiled model."""
    model = recording("residual_int8")
    inputs, official = model.cases()[0]
    session = ort.InferenceSession(str(residual))
    originally = session.run(None, dict(zip((spec.name for spec in session.get_inputs()), inputs)))
    file = recorded_inputs(model.name, tmp_path)
    report = json.loads(ezrknn("compare", model.path, "--onnx", residual, "--inputs", file, "--json"))
    assert [output["name"] for output in report["outputs"]] == [spec.name for spec in session.get_outputs()]
    for output, ours, reference in zip(report["outputs"], official, originally):
        assert output["cosine"] == pytest.approx(cosine(ours, reference), abs=1e-4)
        assert output["snr_db"] == pytest.approx(snr(ours, reference), abs=0.5)
        assert output["max_error"] == pytest.approx(np.abs(ours - reference).max(), rel=0.3)


@pytest.mark.parametrize("convolution", [1, 2, 3])
def test_blames_the_layer_with_a_planted_error(convolution: int, residual: Path, ezrknn: Ezrknn, data: Path) -> None:
    """One weight of the original is spoiled; everything behind it is wrong too, but only it is to blame."""
    original = onnx.load(residual)
    node = [node for node in original.graph.node if node.op_type == "Conv"][convolution]
    weight = next(tensor for tensor in original.graph.initializer if tensor.name == node.input[1])
    values = onnx.numpy_helper.to_array(weight)
    spoiled = values + np.random.default_rng(0).normal(0, values.std() / 3, values.shape).astype(values.dtype)
    weight.CopyFrom(onnx.numpy_helper.from_array(spoiled, weight.name))
    onnx.save(original, residual)
    report = json.loads(ezrknn("compare", data / "residual_fp16.rknn", "--onnx", residual, "--json"))
    with load(data / "residual_fp16.rknn") as model:
        graph = model.graphs[0]
        (name,) = (
            graph.tensors[node.outputs[0]].name
            for node in graph.nodes
            if weight.name in [graph.tensors[index].name for index in node.inputs]
        )
    assert report["worst_layer"]["name"] == name
    assert name in report["advice"]


def test_layers_are_in_execution_order_and_numbered_as_by_info(ezrknn: Ezrknn, data: Path) -> None:
    """The conversion of the inputs comes first."""
    report = json.loads(ezrknn("compare", data / "residual_int8.rknn", "--layers", "--json"))
    described = json.loads(ezrknn("info", data / "residual_int8.rknn", "--json"))["layers"]
    assert report["layers"][0]["operator"] == "(input)"
    assert report["layers"][0]["layer"] is None
    compared = report["layers"][1:]
    assert [layer["layer"] for layer in compared] == list(range(len(described)))
    assert [layer["operator"] for layer in compared] == [layer["operator"] for layer in described]
    assert [layer["name"] for layer in compared] == [layer["outputs"][0] for layer in described]


def test_the_table_marks_the_worst_layer(ezrknn: Ezrknn, data: Path) -> None:
    """A line for each layer, a mark behind one, and advice as the last line."""
    report = json.loads(ezrknn("compare", data / "residual_int8.rknn", "--layers", "--json"))
    text = ezrknn("compare", data / "residual_int8.rknn", "--layers")
    marked = [line for line in text.splitlines() if line.endswith("<- worst")]
    assert len(marked) == 1
    assert report["worst_layer"]["name"] in marked[0].split()
    for layer in report["layers"]:
        assert layer["name"] in text
    assert text.splitlines()[-1] == report["advice"]
    assert "random numbers" in text
    assert "relu3" not in ezrknn("compare", data / "residual_int8.rknn"), "layers are shown on request only"


# Quantisation and float16 cost as much as the comparison says.
LOSSY = {
    "masked_attention_int8": "the mask of -10000 is on the grid of the scores, and leaves them one step",
    "nv12_int8": "random planes have colours beyond those of red, green and blue from 0 to 255, where they are cut off",
    "unusual_int8": "Hardmax and Shrink jump",
    "seldom_int8": "comparisons and the places of the largest jump",
    "rv1126b_cross_attention_int8": "the scores and weights of attention saturate",
    "unusual_fp16": "Hardmax and Shrink jump",
}

# Layers that take every other row and column of a convolution's result: folded into its stride, they compute nothing.
FOLDED = {"rk3562_sums_int8": 2}


@pytest.mark.parametrize("model", EXECUTABLE, ids=lambda model: model.name)
def test_compares_every_model_with_its_own_float_version(model: Any, ezrknn: Ezrknn) -> None:
    """Quantised models lose some accuracy, float16 models nearly none, and the result is the same every time."""
    report = json.loads(ezrknn("compare", model.path, "--json", "--layers"))
    assert report["outputs"]
    assert report["layers_without_reference"] == FOLDED.get(model.name, 0)
    for output in report["outputs"]:
        least = 50 if model.entry["precision"] == "fp16" else 15
        assert output["snr_db"] is None or output["snr_db"] > least or model.name in LOSSY
    assert json.loads(ezrknn("compare", model.path, "--json", "--layers")) == report


def test_the_original_gets_normalised_inputs(originals: ModuleType, ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """The original knows nothing of the mean and standard deviation that the compiler was given."""
    onnx.save(originals.tiny_conv(), tmp_path / "original.onnx")
    model = data / "mean_std_int8.rknn"
    inputs = recorded_inputs("mean_std_int8", tmp_path)
    for options in ([], ["--inputs", inputs]):
        report = json.loads(ezrknn("compare", model, "--onnx", tmp_path / "original.onnx", *options, "--json"))
        assert report["outputs"][0]["snr_db"] > 30


def test_measures_several_inferences_together(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """They lie along the first dimension, also for a model whose calls have a batch."""
    inputs = recorded_inputs("batch4_int8", tmp_path)
    together = json.loads(ezrknn("compare", data / "batch4_int8.rknn", "--inputs", inputs, "--json"))
    assert together["samples"] == 4
    (array,) = recording("batch4_int8").cases()[0][0]
    largest = []
    for place, one in enumerate(array):
        np.save(tmp_path / f"{place}.npy", one[np.newaxis])
        report = json.loads(
            ezrknn("compare", data / "batch4_int8.rknn", "--inputs", f"x={tmp_path / f'{place}.npy'}", "--json")
        )
        largest.append(report["outputs"][0]["max_error"])
    assert together["outputs"][0]["max_error"] == max(largest)


def test_arrays_choose_the_shapes_of_a_dynamic_model(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """--graph overrides them."""
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 8, 8), np.float32))
    model = data / "dynamic_fp16.rknn"
    assert "graph 2 of 3" in ezrknn("compare", model, "--inputs", tmp_path / "x.npy")
    assert "graph 0 of 3" in ezrknn("compare", model)
    assert "graph 1 of 3" in ezrknn("compare", model, "--graph", 1)


def test_errors_are_one_line(ezrknn_refuses: Ezrknn, data: Path, residual: Path, tmp_path: Path) -> None:
    """Wrong names, wrong shapes, missing or superfluous arrays, and originals that are not models."""
    model = data / "two_inputs_int8.rknn"
    np.save(tmp_path / "x.npy", np.zeros((1, 5), np.float32))
    array = tmp_path / "x.npy"
    assert "no input 'z'" in ezrknn_refuses("compare", model, "--inputs", f"z={array}")
    np.save(tmp_path / "image.npy", np.zeros((1, 3, 16, 16), np.float32))
    assert "there is no array" in ezrknn_refuses("compare", model, "--inputs", tmp_path / "image.npy")
    assert "one too many" in ezrknn_refuses("compare", model, "--inputs", array, array, array)
    assert "has shape [1, 5]" in ezrknn_refuses("compare", data / "block_int8.rknn", "--inputs", array)
    assert "is no .npy or .npz file" in ezrknn_refuses("compare", model, "--inputs", model)
    assert "custom operators (cstBlend, cstDouble)" in ezrknn_refuses("compare", data / "custom_blend_int8.rknn")
    assert "compiled from" in ezrknn_refuses("compare", model, "--onnx", residual)
    assert "cannot be opened" in ezrknn_refuses("compare", model, "--onnx", tmp_path / "none.onnx")
    assert "not an ONNX file" in ezrknn_refuses("compare", model, "--onnx", model)
    assert "cannot be written" in ezrknn_refuses("compare", model, "--svg", tmp_path / "none" / "chart.svg")


def test_the_chart_has_a_row_for_every_layer(ezrknn: Ezrknn, data: Path, tmp_path: Path) -> None:
    """It is well-formed XML, and the rows are the layers of the report in their order."""
    file = tmp_path / "chart.svg"
    report = json.loads(ezrknn("compare", data / "residual_int8.rknn", "--layers", "--json", "--svg", file))
    rows = _rows(file.read_text(encoding="utf-8"))
    assert [title.split(" (")[0] for title in rows] == [layer["name"] for layer in report["layers"]]


def test_draws_a_chart_for_any_name_and_any_number() -> None:
    """Names may hold markup, errors may be zero or total, and values may exceed the scale."""
    bars = [
        Bar("<a>&b", "Conv", math.inf, 0.0, False),
        Bar("x" * 200, "Conv", -math.inf, math.inf, True),
        Bar("c", "Conv", -12.0, 250.0, True),
    ]
    text = error_chart("<title>", "&", bars)
    assert _rows(text)[0].startswith("<a>&b (Conv): no error")
    root = ElementTree.fromstring(text)
    width = float(root.attrib["width"])
    for element in root.iter():
        for attribute in ("x", "cx", "x1", "x2"):
            assert 0 <= float(element.attrib.get(attribute, 0)) <= width
        assert "nan" not in "".join(element.attrib.values())
    assert "prefers-color-scheme: dark" in text


def test_draws_an_empty_chart() -> None:
    """The reference may have no tensor of the same name."""
    assert _rows(error_chart("title", "subtitle", [])) == []


def _rows(text: str) -> list[str]:
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    return [str(row.findtext(f"{space}title")) for row in root.iter(f"{space}g")]
