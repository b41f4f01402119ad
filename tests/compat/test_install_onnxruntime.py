# SPDX-License-Identifier: Apache-2.0
"""Whole programs that import ``onnxruntime``, with the stand-in in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
    import sys
    import numpy as np
    import onnxruntime as ort
    import onnxruntime.capi.onnxruntime_pybind11_state as state
    from onnxruntime import GraphOptimizationLevel, SessionOptions
    from onnxruntime.capi import _pybind_state

    ort.set_seed(1)
    ort.disable_telemetry_events()
    ort.set_default_logger_severity(3)
    ort.set_default_logger_verbosity(0)
    assert ort.get_version_string() == ort.__version__
    assert _pybind_state.InvalidArgument is state.InvalidArgument is ort.capi.onnxruntime_pybind11_state.InvalidArgument
    assert "CPUExecutionProvider" in ort.get_available_providers()
    assert isinstance(ort.get_ep_devices(), list) and ort.OrtDevice.make("cpu", 0).device_id() == 0
    assert ort.get_build_info() and ort.get_device() and not ort.has_collective_ops()
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession("npu.onnx", options, providers=["CPUExecutionProvider"])
    print(session.get_providers()[0], session.run(None, {"x": np.zeros((1, 4, 16, 16), np.float32)})[0].shape)
    try:
        session.run(None, {"x": np.zeros((1, 2, 3), np.float32)})
    except state.InvalidArgument as error:
        print("refused")
    print(sys.argv, __name__)
"""
PRINTED = """\
RKNPU2SimulatorExecutionProvider (1, 8, 16, 16)
refused
['program.py', '--flag', 'a'] __main__
"""


@pytest.mark.parametrize("hidden", [False, True], ids=["onnxruntime installed", "not installed"])
def test_a_program_runs_unchanged(run_program: Callable[..., Any], hidden: bool) -> None:
    """With and without ONNX Runtime; a board needs none."""
    ended = run_program(PROGRAM, "program.py", "--flag", "a", hidden=hidden)
    assert (ended.returncode, ended.stdout) == (0, PRINTED), ended.stderr
    assert "'npu.onnx' runs on the NPU" in ended.stderr


def test_a_program_runs_as_a_module(run_program: Callable[..., Any]) -> None:
    """As with python -m."""
    ended = run_program("import onnxruntime, sys; print(onnxruntime.__name__, len(sys.argv))", "-m", "program", "a")
    assert ended.stdout == "ez_rknn_async.compat.onnxruntime 2\n", ended.stderr


def test_a_program_that_two_kinds_of_models_serve(run_program: Callable[..., Any]) -> None:
    """What was compiled runs on the NPU, the rest on the CPU, and standard error tells which is which."""
    program = """
        from onnxruntime import InferenceSession
        print([InferenceSession(name).get_providers()[0] for name in ("npu.onnx", "cpu.onnx")])
    """
    ended = run_program(program, "program.py")
    assert ended.stdout == "['RKNPU2SimulatorExecutionProvider', 'CPUExecutionProvider']\n", ended.stderr
    assert "'cpu.onnx' runs on the CPU" in ended.stderr


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("from onnxruntime import InferenceSession as S; S('cpu.onnx')", "pip install onnxruntime"),
        ("from onnxruntime import InferenceSession as S; S('gone.onnx')", "NoSuchModelError: there is no model"),
        ("import onnxruntime.quantization", "onnxruntime.quantization is part of ONNX Runtime itself"),
        ("from onnxruntime import LoraAdapter", "cannot import name 'LoraAdapter'"),
        ("import onnxruntime; onnxruntime.LoraAdapter", "onnxruntime.LoraAdapter is part of ONNX Runtime itself"),
    ],
)
def test_what_needs_onnxruntime_says_so(run_program: Callable[..., Any], program: str, message: str) -> None:
    """Where it is not installed."""
    ended = run_program(program, "program.py", hidden=True)
    assert ended.returncode == 1
    assert message in ended.stderr


def test_onnxruntimes_tools_import(run_program: Callable[..., Any]) -> None:
    """Where it is installed: they are found in its own folder."""
    ended = run_program("import onnxruntime.backend; print(onnxruntime.backend.__name__)", "program.py")
    assert ended.stdout == "onnxruntime.backend\n", ended.stderr


def test_the_environment_maps_models(run_program: Callable[..., Any]) -> None:
    """For a program that keeps its models where nothing may be added."""
    program = "import onnxruntime; print(onnxruntime.InferenceSession('cpu.onnx').get_providers()[0])"
    ended = run_program(program, "program.py", EZ_RKNN_ONNXRUNTIME_MODELS="cpu.onnx=npu.rk3588.rknn")
    assert ended.stdout == "RKNPU2SimulatorExecutionProvider\n", ended.stderr


@pytest.mark.parametrize("arguments", [(), ("-m",), ("missing.py",)])
def test_a_missing_program_is_a_wrong_command(run_program: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    """Exit status 2, as of any command."""
    assert run_program("", *arguments).returncode == 2


def test_one_line_installs_it(folder: Path, run_program: Callable[..., Any]) -> None:
    """Later calls exchange the mapping; names imported before stay the originals, with a warning."""
    program = """
        import logging, sys
        sys.modules.pop("onnxruntime")
        sys.path[:] = [entry for entry in sys.path if "stand-in" not in entry]
        logging.basicConfig()
        import onnxruntime as original
        from ez_rknn_async.compat import install_as_onnxruntime
        install_as_onnxruntime({"cpu.onnx": "npu.rk3588.rknn"}, {"schedule": "all"})
        import onnxruntime
        session = onnxruntime.InferenceSession("cpu.onnx")
        print(session.get_provider_options()[session.get_providers()[0]]["schedule"])
        install_as_onnxruntime()
        print(onnxruntime.InferenceSession("cpu.onnx").get_providers())
    """
    ended = run_program(program, "program.py")
    assert ended.stdout == "all\n['CPUExecutionProvider']\n", ended.stderr
    assert "imported before the stand-in" in ended.stderr


CHILDREN = """
    import multiprocessing, sys

    def work(number):
        import onnxruntime
        import onnxruntime.capi.onnxruntime_pybind11_state as state
        session = onnxruntime.InferenceSession("other.onnx" if number else "npu.onnx")
        return onnxruntime.__name__, session.get_providers()[0], issubclass(state.Fail, Exception)

    def of_a_child(number):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(work, [number])

    if __name__ == "__main__":
        from ez_rknn_async.compat import install_as_onnxruntime
        install_as_onnxruntime({"other.onnx": "npu.rk3588.rknn"}, {"schedule": [0]})
        method = multiprocessing.get_context(sys.argv[1])
        with method.Pool(1) as pool:
            print(pool.map(work, [0, 1]))
        with multiprocessing.pool.ThreadPool(1) as pool:
            print(pool.apply(of_a_child, [1]))
"""
CHILD = "('ez_rknn_async.compat.onnxruntime', 'RKNPU2SimulatorExecutionProvider', True)"


@pytest.mark.parametrize("hidden", [False, True], ids=["onnxruntime installed", "not installed"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_get_the_stand_in(run_program: Callable[..., Any], method: str, hidden: bool) -> None:
    """With the same arguments, however multiprocessing starts them."""
    ended = run_program(CHILDREN, "program.py", method, hidden=hidden)
    assert (ended.returncode, ended.stdout) == (0, f"[{CHILD}, {CHILD}]\n{CHILD}\n"), ended.stderr


def test_what_children_cannot_get_is_told(run_program: Callable[..., Any]) -> None:
    """Options that no JSON holds; the program itself has them."""
    program = """
        import numpy
        from ez_rknn_async.compat import install_as_onnxruntime
        install_as_onnxruntime(provider_options={"schedule": [numpy.int64(0)]})
    """
    assert "processes that multiprocessing starts will not have" in run_program(program, "program.py").stderr
