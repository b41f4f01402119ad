# SPDX-License-Identifier: Apache-2.0
"""Which compiled model stands for an ONNX model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async import RknnTypeError, RknnValueError
from ez_rknn_async.compat.onnxruntime import models
from ez_rknn_async.compat.onnxruntime.models import compiled_model, configure


def test_prefers_the_model_that_names_the_soc(folder: Path) -> None:
    """One folder may serve boards of several SoCs."""
    (folder / "npu.rknn").touch()
    assert compiled_model(folder / "npu.onnx") == str(folder / "npu.rk3588.rknn")
    (folder / "npu.rk3588.rknn").unlink()
    assert compiled_model(str(folder / "npu.onnx")) == str(folder / "npu.rknn")


def test_does_not_need_the_onnx_file(folder: Path) -> None:
    """A deployment may leave it out."""
    (folder / "npu.onnx").unlink()
    assert compiled_model(folder / "npu.onnx") == str(folder / "npu.rk3588.rknn")


def test_passes_over_models_for_other_socs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be refused."""
    monkeypatch.setattr(models, "_soc", lambda: "rk3576")
    assert compiled_model(folder / "npu.onnx") is None


@pytest.mark.parametrize("soc", ["rk3566", "rk3568"])
def test_takes_a_model_for_the_soc_with_the_same_npu(folder: Path, monkeypatch: pytest.MonkeyPatch, soc: str) -> None:
    """RK3566 and RK3568 run each other's models."""
    monkeypatch.setattr(models, "_soc", lambda: soc)
    (folder / "cpu.rk3566.rknn").touch()
    assert compiled_model(folder / "cpu.onnx") == str(folder / "cpu.rk3566.rknn")


def test_reads_the_soc_from_the_simulators_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated NPU is whichever SoC it is told to be."""
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "soc=rk3576")
    assert compiled_model(folder / "npu.onnx") is None


@pytest.mark.parametrize("key", ["cpu.onnx", "{folder}/cpu.onnx", "{folder}/../{name}/cpu.onnx"])
def test_takes_the_model_that_the_call_names(folder: Path, key: str) -> None:
    """By file name or by path."""
    configure({key.format(folder=folder, name=folder.name): "other.rknn"}, None)
    assert compiled_model(folder / "cpu.onnx") == "other.rknn"


def test_takes_the_model_that_the_environment_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For programs that are started by others; what is passed to the call comes first."""
    monkeypatch.setenv(models.MODELS, "cpu.onnx=a.rknn:npu.onnx=")
    assert compiled_model(folder / "cpu.onnx") == "a.rknn"
    assert compiled_model(folder / "npu.onnx") is None
    configure({"cpu.onnx": None}, None)
    assert compiled_model(folder / "cpu.onnx") is None


def test_recognises_a_compiled_model_by_its_content(folder: Path, data: Path) -> None:
    """Whatever its name is, and if there is none."""
    content = (data / "conv_c4_int8.rknn").read_bytes()
    (folder / "renamed.onnx").write_bytes(content)
    assert compiled_model(folder / "renamed.onnx") == str(folder / "renamed.onnx")
    assert compiled_model(content) is content
    assert compiled_model(b"\x08\x07") is None


@pytest.mark.parametrize("text", ["cpu.onnx", "=x.rknn"])
def test_refuses_a_mapping_that_is_none(text: str) -> None:
    """It says what is expected."""
    with pytest.raises(RknnValueError, match=r"MODEL\.onnx=MODEL\.rknn"):
        models.models_in(text)


def test_merges_options_of_environment_and_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call wins."""
    monkeypatch.setenv(models.OPTIONS, '{"schedule": "all", "layout": "nhwc"}')
    configure(None, {"layout": "nchw"})
    assert models.npu_options() == {"schedule": "all", "layout": "nchw"}


@pytest.mark.parametrize("text", ["schedule=all", "[1]", "{"])
def test_refuses_options_that_are_not_a_json_object(text: str) -> None:
    """It shows one."""
    with pytest.raises(RknnValueError, match="JSON object"):
        models.options_in(text)


@pytest.mark.parametrize(
    ("given", "options", "kind", "message"),
    [
        (["x"], None, RknnTypeError, "models takes a dictionary"),
        ({"x.onnx": 3}, None, RknnTypeError, "models takes a path"),
        (None, "all", RknnTypeError, "provider_options takes a dictionary"),
        (None, {"shedule": "all"}, RknnValueError, "did you mean 'schedule'"),
    ],
)
def test_refuses_wrong_arguments_at_once(given: Any, options: Any, kind: type[Exception], message: str) -> None:
    """And not when the first model is opened."""
    with pytest.raises(kind, match=message):
        configure(given, options)


def test_takes_the_model_that_is_configured_for_a_content(folder: Path) -> None:
    """Programs that edit a model hand over its bytes; the log says what they are called."""
    content = (folder / "cpu.onnx").read_bytes()
    (name,) = re.findall(r"configured for '([0-9a-f]{12}\.onnx)'", models.why_none(content))
    configure({name: folder / "npu.rk3588.rknn"}, None)
    assert compiled_model(bytearray(content)) == str(folder / "npu.rk3588.rknn")
    configure({name: None}, None)
    assert compiled_model(content) is None
