# SPDX-License-Identifier: Apache-2.0
"""``ezrknn info``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import pytest

from ez_rknn_async.cli import info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def ezrknn_info(capsys: pytest.CaptureFixture[str], data: Path) -> Callable[..., str]:
    """Run the command on a committed model and return what it printed."""

    def run(name: str, *options: str) -> str:
        parser = argparse.ArgumentParser()
        info.register(parser.add_subparsers())
        arguments = parser.parse_args(["info", str(data / f"{name}.rknn"), *options])
        assert arguments.handler(arguments) == 0
        return capsys.readouterr().out

    return run


def described(ezrknn_info: Callable[..., str], name: str) -> dict[str, Any]:
    """Return the command's JSON."""
    return json.loads(ezrknn_info(name, "--json"))


def test_json_describes_the_compiled_model(ezrknn_info: Callable[..., str]) -> None:
    """It has target, versions, inputs with their quantisation and preprocessing, outputs and layers."""
    model = described(ezrknn_info, "mean_std_int8")
    assert model["target_platform"] == "rk3588"
    assert model["toolkit_version"] == "2.5.0"
    assert model["core_modes"] == [1]
    (source,) = model["inputs"]
    assert (source["name"], source["dtype"], source["layout"], source["shape"]) == ("x", "int8", "NHWC", [1, 3, 16, 16])
    assert source["mean"] == pytest.approx([123.675, 116.28, 103.53])
    assert source["scale"] > 0
    (target,) = model["outputs"]
    assert (target["name"], target["layout"], target["shape"]) == ("y", "NCHW", [1, 8, 16, 16])
    assert model["operators"] == {"ConvRelu": 1}
    (layer,) = model["layers"]
    assert layer["device"] == "NPU"
    assert 0 < layer["weight_bytes"] <= model["weight_bytes"] <= model["file_bytes"]


def test_a_layer_is_shown_by_a_result_that_is_used(ezrknn_info: Callable[..., str]) -> None:
    """If only the last state of an LSTM is used, that one counts, not its first result in the file."""
    (layer,) = described(ezrknn_info, "last_state_fp16")["layers"]
    assert (layer["outputs"], layer["shape"], layer["dtype"]) == (["y"], [1, 1, 10], "float16")


def test_json_lists_the_core_counts_a_model_can_run_with(ezrknn_info: Callable[..., str]) -> None:
    """Tensor parallelism depends on it."""
    assert described(ezrknn_info, "snippet")["core_modes"] == [1, 2, 3]


def test_shapes_include_the_batch_of_one_call(ezrknn_info: Callable[..., str]) -> None:
    """The graph has batch 1 and runs four times; a program passes four images."""
    model = described(ezrknn_info, "batch4_int8")
    assert model["batch_size"] == 4
    assert [each["shape"][0] for each in model["inputs"] + model["outputs"]] == [4, 4]


def test_text_shows_the_sizes_and_on_request_every_layer(ezrknn_info: Callable[..., str]) -> None:
    """The summary first, memory with its unit, no line for what is empty; layers of a real model would bury it."""
    text, longer = ezrknn_info("block_int8"), ezrknn_info("block_int8", "--layers")
    model = described(ezrknn_info, "block_int8")
    for layer in model["layers"]:
        assert f" {layer['outputs'][0]} " in longer
    assert " relu1 " not in text
    assert longer.startswith(text.rstrip("\n"))
    assert f"{model['weight_bytes'] / 1024:.1f} KiB" in text
    assert "cores for one run  1 or 2 or 3" in text
    assert "custom string" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_text_shows_features_that_only_some_models_have(ezrknn_info: Callable[..., str]) -> None:
    """Dynamic shapes, the custom string, and advice for a model that runs on one core only."""
    assert "dynamic shape of x" in ezrknn_info("dynamic_fp16")
    assert "1x3x12x12" in ezrknn_info("dynamic_fp16")
    text = ezrknn_info("custom_string_fp16")
    assert '{"labels": ["zero", "one"]}' in text
    assert "no tensor parallelism" in text


def test_every_committed_model_can_be_described(ezrknn_info: Callable[..., str], data: Path) -> None:
    """No operator, layout or missing part makes the command fail."""
    for file in sorted(data.glob("*.rknn")):
        if file.stem != "mini_int8":
            assert ezrknn_info(file.stem)
            assert described(ezrknn_info, file.stem)["layers"], file.stem


def test_the_option_layers_adds_modelled_times(ezrknn_info: Callable[..., str]) -> None:
    """Times are per layer and in total, for each number of cores of the SoC, and never called measured."""
    modelled = json.loads(ezrknn_info("block_int8", "--layers", "--json"))["modelled"]
    assert modelled["soc"] == "rk3588"
    for cores, total in enumerate(modelled["milliseconds"]):
        assert 0 < total == pytest.approx(sum(layer["microseconds"][cores] for layer in modelled["layers"]) / 1000)
    assert len(modelled["milliseconds"]) == 3
    text = ezrknn_info("block_int8", "--layers")
    assert "1 core (us)" in text
    assert f"Modelled for rk3588, not measured: {modelled['milliseconds'][0]:.3f} ms with 1 core" in text
    assert "odelled" not in ezrknn_info("block_int8")


def test_names_layers_that_were_reported_to_fail_on_boards(ezrknn_info: Callable[..., str]) -> None:
    """No simulator shows it: the layer, the public report and what to do, as text and as JSON."""
    reported = described(ezrknn_info, "last_state_fp16")["reported"]
    assert {entry["source"] for entry in reported} >= {"airockchip/rknn-toolkit2#305"}
    assert all(entry["layers"] == ["exLSTM:lstm0"] and entry["advice"] for entry in reported)
    text = ezrknn_info("last_state_fp16")
    assert "layer 'exLSTM:lstm0': an LSTM. Seen on RK3588" in text
    assert described(ezrknn_info, "residual_int8")["reported"] == []
    assert "Reported" not in ezrknn_info("residual_int8")
