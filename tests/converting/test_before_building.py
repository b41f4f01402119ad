# SPDX-License-Identifier: Apache-2.0
"""What is found before anything is built: each mistake by its name, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ez_rknn_async import ConversionError, RknnModelError, RknnValueError
from ez_rknn_async.converting import building, heads, inspection, original, recipe

from . import networks

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def findings(model: onnx.ModelProto, **settings: Any) -> dict[str, str]:
    """Return the text of each finding by its code."""
    found = inspection.inspect(original.Original(model), recipe.make({"model": "x.onnx", **settings}))
    return {finding.code: finding.text for finding in found}


def test_a_sound_model_has_no_finding() -> None:
    """Otherwise nobody would read them."""
    assert findings(networks.convolutions()) == {}


def test_an_open_shape_is_asked_for(tmp_path: Path) -> None:
    """The message has the flag to give; a batch that alone is open becomes 1."""
    model = networks.convolutions()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    path = networks.save(model, tmp_path / "open.onnx")
    with pytest.raises(ConversionError, match="--shape x=1x3xNx32") as caught:
        building.prepare(recipe.Recipe(str(path)))
    assert caught.value.findings[0].tensors == ("x",)
    prepared = building.prepare(recipe.Recipe(str(path), shapes={"x": (1, 3, 32, 32)}))
    assert prepared.original.inputs[0].shape == (1, 3, 32, 32)
    with pytest.raises(RknnValueError, match=r"3x32x32: in the model it has 4 dimensions, 1x3x\?x32"):
        building.prepare(recipe.Recipe(str(path), shapes={"x": (3, 32, 32)}))


def test_a_given_shape_replaces_a_fixed_one(tmp_path: Path) -> None:
    """Exports declare the size that they were traced with, which is often not the size that they are used with."""
    path = networks.save(networks.convolutions(), tmp_path / "traced.onnx")
    prepared = building.prepare(recipe.Recipe(str(path), shapes={"x": (1, 3, 64, 48)}))
    assert prepared.original.outputs[0].shape == (1, 4, 32, 24)
    constant = np.ones((1, 3, 32, 32), np.float32)
    fixed = networks.network([networks.node("Add", ["x", "c"], "y")], {"x": networks.IMAGE}, ["y"], {"c": constant})
    with pytest.raises(RknnValueError, match="does not work with these shapes"):
        building.prepare(
            recipe.Recipe(str(networks.save(fixed, tmp_path / "fixed.onnx")), shapes={"x": (1, 3, 16, 16)})
        )


def test_an_unsupported_operator_is_named_with_its_node() -> None:
    """The compiler names it in one line among hundreds, and builds a file that needs a plug-in."""
    text = findings(networks.unsupported())["unknown-operator"]
    assert "Det_y" in text
    assert "is Det" in text


def test_control_flow_and_float64_are_found() -> None:
    """The NPU has neither."""
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.DOUBLE, None)],
    )
    model = networks.network(
        [helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=branch)],
        {"x": (1,)},
        ["y"],
        {"c": np.array(True), "d": np.ones(2)},
    )
    found = findings(model)
    assert "'choice' is If" in found["control-flow"]
    assert "float64: d" in found["float64"]


def test_a_head_of_boxes_and_scores_is_found_and_where_to_cut_it() -> None:
    """One scale for both turns all scores into 0."""
    model = networks.detector()
    assert "--output-tensor boxes --output-tensor scores" in findings(model, images=["x.npy"])["mixed-head"]
    assert heads.automatic_cut(original.Original(model)) == ("boxes", "scores")
    cut = original.cut(original.Original(model), ("boxes", "scores"))
    onnx.checker.check_model(cut.model, full_check=True)
    assert [port.name for port in cut.outputs] == ["boxes", "scores"]
    assert {node.op_type for node in cut.graph.node} == {"Conv", "Relu", "Mul", "Sigmoid"}


def test_a_second_reader_of_the_scores_is_found() -> None:
    """It keeps the Sigmoid from being fused."""
    model = networks.detector()
    model.graph.node.append(networks.node("ReduceSum", ["scores"], "sum"))
    model.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, None))
    assert "ReduceSum 'ReduceSum_sum'" in findings(model)["second-reader"]


def test_a_normalisation_inside_and_outside_is_found() -> None:
    """Twice is once too often."""
    model = networks.convolutions()
    model.graph.node[0].input[0] = "normalised"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "mean"))
    model.graph.node.insert(0, networks.node("Sub", ["x", "mean"], "normalised"))
    assert findings(model) == {}
    assert "Sub_normalised" in findings(model, mean=MEAN, std=STD)["double-normalisation"]


def test_means_in_the_other_order_of_colours_are_found() -> None:
    """The means of ImageNet are known, and they are in one order or the other."""
    model = networks.convolutions()
    assert "--color bgr" in findings(model, mean=MEAN[::-1], std=STD)["color-order"]
    assert "color-order" not in findings(model, mean=MEAN[::-1], std=STD, color="bgr")
    assert "255" in findings(model, mean=(0.485, 0.456, 0.406), std=(0.2, 0.2, 0.2), images=["photos"])["mean-scale"]


@pytest.mark.parametrize("content", [b"", b"no model at all", "cut short"])
def test_a_damaged_model_is_refused(tmp_path: Path, content: Any) -> None:
    """In one sentence, before the compiler sees it."""
    whole = networks.convolutions().SerializeToString()
    path = tmp_path / "damaged.onnx"
    path.write_bytes(whole[: len(whole) // 2] if content == "cut short" else content)
    with pytest.raises(RknnModelError, match=r"damaged\.onnx' is not "):
        building.prepare(recipe.Recipe(str(path)))


def test_a_missing_model_is_named() -> None:
    """With the reason of the system."""
    with pytest.raises(RknnModelError, match=r"nowhere\.onnx' cannot be opened: No such file"):
        building.prepare(recipe.Recipe("nowhere.onnx"))
