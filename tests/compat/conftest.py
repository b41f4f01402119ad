# SPDX-License-Identifier: Apache-2.0
"""Objects of RKNNLite on the simulated NPU; folders of models, and programs run as a user runs them."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ez_rknn_async.compat.onnxruntime import models
from ez_rknn_async.compat.rknnlite import RKNNLite

from ..session.conftest import OpenSession, calls_of, runs_by_core
from ..session.conftest import open_session as open_any_session

__all__ = ["OpenSession", "calls_of", "open_any_session", "runs_by_core"]

OpenLite = Callable[..., RKNNLite]


# Hides the installed onnxruntime, as on a board that has none.
HIDING = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name=name)

sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither the environment nor an earlier test says what runs where; no session outlives its test."""
    monkeypatch.delenv(models.MODELS, raising=False)
    monkeypatch.delenv(models.OPTIONS, raising=False)
    monkeypatch.delenv(models.BATCHES, raising=False)
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    monkeypatch.setattr(models, "_configured", models.Configuration())
    yield
    gc.collect()


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    """``npu.onnx``, compiled to ``npu.rk3588.rknn``, and ``cpu.onnx``, a network of one Relu, which is not."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    shutil.copy(data / "conv_c4_int8.rknn", tmp_path / "npu.rk3588.rknn")
    value = onnx.helper.make_tensor_value_info
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([relu], "relu", [value("x", 1, [2])], [value("y", 1, [2])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.helper.set_model_props(model, {"character": "abc"})
    onnx.save(model, str(tmp_path / "cpu.onnx"))
    shutil.copy(tmp_path / "cpu.onnx", tmp_path / "npu.onnx")
    return tmp_path


@pytest.fixture
def run_program(folder: Path) -> Callable[..., Any]:
    """Run a program, given as text, in the folder, through ``python -m ez_rknn_async.compat onnxruntime``."""

    def run(program: str, *arguments: str, hidden: bool = False, **environment: str) -> Any:
        (folder / "program.py").write_text(textwrap.dedent(program))
        start = "import runpy\nrunpy.run_module('ez_rknn_async.compat', run_name='__main__', alter_sys=True)"
        command = [sys.executable, "-c", (HIDING if hidden else "") + start, "onnxruntime", *arguments]
        variables = {**os.environ, **environment}
        return subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=100, check=False
        )

    return run


@pytest.fixture
def compute_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what needs no numbers: outputs are zeros, and no device process is started."""
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "compute=off")


@pytest.fixture
def open_lite(data: Path) -> Iterator[OpenLite]:
    """Opens objects by model name as programs do, and releases them after the test."""
    opened: list[RKNNLite] = []

    def open_(model: str = "tiny_conv_int8", **arguments: Any) -> RKNNLite:
        lite = RKNNLite()
        opened.append(lite)
        assert lite.load_rknn(str(data / f"{model}.rknn")) == 0
        assert lite.init_runtime(**arguments) == 0
        return lite

    yield open_
    for lite in opened:
        lite.release()


@pytest.fixture
def open_session(open_any_session: OpenSession) -> OpenSession:
    """Opens sessions of our own, which compute and take images in NHWC order, and closes them after the test."""
    return functools.partial(open_any_session, simulator=None, layout="nhwc")
