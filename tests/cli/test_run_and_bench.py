# SPDX-License-Identifier: Apache-2.0
"""``ezrknn run``, ``bench`` and ``simulator``."""

from __future__ import annotations

import ctypes
import json
import re
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async import __version__
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY
from ez_rknn_async.cli import main

from ..plugins import EXAMPLES, build
from ..simulator.recordings import recording
from ..simulator.zoo import cosine
from .conftest import Ezrknn


def test_run_writes_each_output_to_a_file(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It also prints a summary of each file."""
    recording = np.load(data / "two_inputs_int8.npz")
    files = []
    for index in range(2):
        files.append(tmp_path / f"{index}.npy")
        np.save(files[-1], recording[f"case0_input{index}"])
    arguments = ["run", str(data / "two_inputs_int8.rknn"), "--runtime-library", "simulator", "--json"]
    arguments += ["--input", str(files[0]), "--input", str(files[1]), "--output-dir", str(tmp_path / "out")]
    assert main(arguments) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["provider"] == "RKNPU2SimulatorExecutionProvider"
    for index, output in enumerate(described["outputs"]):
        written, recorded = np.load(output["file"]), recording[f"case0_output{index}"]
        assert list(written.shape) == output["shape"]
        assert np.corrcoef(written.ravel(), recorded.ravel())[0, 1] > 0.99


def test_run_takes_inputs_by_name(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Users may not remember their order."""
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 16, 16), np.float32))
    arguments = ["run", str(data / "tiny_conv_fp16.rknn"), "--input", f"x={tmp_path / 'x.npy'}"]
    assert main([*arguments, "--runtime-library", "simulator", "--output-dir", str(tmp_path)]) == 0
    assert "y.npy" in capsys.readouterr().out


def test_a_mistake_is_one_line_on_standard_error(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts can test its status; a traceback needs --debug."""
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 16, 16), np.float32))
    arguments = ["run", str(data / "two_inputs_int8.rknn"), "--runtime-library", "simulator"]
    arguments += ["--input", f"image={tmp_path / 'x.npy'}"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ezrknn: nothing is given for input 'mask'; add --input mask=FILE.npy")
    assert captured.err.count("\n") == 1
    with pytest.raises(ValueError, match="nothing is given"):
        main(["--debug", *arguments])


def test_names_files_that_are_not_arrays(data: Path, ezrknn_refuses: Ezrknn, tmp_path: Path) -> None:
    """One does not exist, and one holds something else."""
    model = data / "tiny_conv_fp16.rknn"
    arguments = ["run", model, "--runtime-library", "simulator", "--input"]
    assert ezrknn_refuses(*arguments, tmp_path / "none.npy").endswith(
        "none.npy cannot be read: No such file or directory"
    )
    assert "tiny_conv_fp16.rknn is no .npy or .npz file" in ezrknn_refuses(*arguments, model)


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon"])
def test_bench_refuses_an_invalid_duration(data: Path, capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    """It does so before anything is loaded."""
    with pytest.raises(SystemExit) as exit_:
        main(["bench", str(data / "tiny_conv_fp16.rknn"), f"--seconds={seconds}"])
    assert exit_.value.code == 2
    assert "argument --seconds" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["--schedule=0", "--tp-mode=all"])
def test_bench_compares_every_mode_or_measures_one(data: Path, ezrknn_refuses: Ezrknn, mode: str) -> None:
    """A user who asks for both is told to choose."""
    assert "leave out" in ezrknn_refuses("bench", data / "tiny_conv_fp16.rknn", "--compare", mode)


def test_bench_compares_the_modes_and_names_the_source_of_its_times(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The modes are one core, every core, and each number of cores that can work together on this SoC."""
    arguments = ["bench", str(data / "snippet.rknn"), "--compare", "--seconds", "0.2", "--json"]
    assert main([*arguments, "--runtime-library", "simulator"]) == 0
    described = json.loads(capsys.readouterr().out)
    modes = [mode["mode"] for mode in described["modes"]]
    assert modes == ["schedule=0", "schedule=all", "tp_mode=0,1", "tp_mode=0,1,2"]
    assert described["times"].startswith("modelled")
    alone, _two, _three = described["modelled_ms"]
    assert alone <= described["modes"][0]["latency_ms"]["p50"]
    for mode in described["modes"]:
        assert mode["throughput"] > 0
        assert 0 < mode["latency_ms"]["p50"] <= mode["latency_ms"]["max"]
        assert list(mode["split_ms"]) == ["queue", "input", "npu", "output", "callback"]
        assert min(mode["split_ms"].values()) >= 0
        assert 0 < mode["computing"] <= 1
        assert mode["limit"].startswith(("Limited by", "This machine is too busy"))


@pytest.mark.parametrize(("io_mode", "copies"), [("copy", 1), ("direct", 0)])
def test_run_moves_tensors_by_the_given_io_mode(
    data: Path, tmp_path: Path, ezrknn: Ezrknn, io_mode: str, copies: int
) -> None:
    """It uses the runtime's general call or bypasses it; the simulated NPU counts its calls."""
    calls = ctypes.CDLL(str(SIMULATOR_LIBRARY)).ez_rknn_simulator_calls
    calls.restype = ctypes.c_uint64
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 16, 16), np.float32))
    before = calls(b"rknn_inputs_set")
    arguments = ["run", data / "tiny_conv_fp16.rknn", "--runtime-library", "simulator", "--io-mode", io_mode]
    ezrknn(*arguments, "--input", tmp_path / "x.npy", "--output-dir", tmp_path)
    assert calls(b"rknn_inputs_set") - before == copies


def test_refuses_an_unknown_io_mode_and_lists_the_known_ones(data: Path, ezrknn_refuses: Ezrknn) -> None:
    """It does so before anything is loaded."""
    line = ezrknn_refuses("bench", data / "tiny_conv_fp16.rknn", "--io-mode", "fast")
    assert "--io-mode fast is not one of auto, direct, copy" in line


def test_run_takes_plug_ins_with_custom_operators(
    data: Path, tmp_path: Path, ezrknn: Ezrknn, ezrknn_refuses: Ezrknn
) -> None:
    """Each is given by its path; without them the model is refused."""
    model = recording("custom_operator_fp16")
    ((inputs, (expected,)),) = model.cases()
    arguments: list[object] = ["run", data / "custom_operator_fp16.rknn", "--runtime-library", "simulator", "--json"]
    arguments += ["--output-dir", tmp_path]
    for index, values in enumerate(inputs):
        np.save(tmp_path / f"{index}.npy", values)
        arguments += ["--input", tmp_path / f"{index}.npy"]
    assert "cstDouble" in ezrknn_refuses(*arguments)
    for name in ("blend", "double"):
        arguments += ["--custom-op", build(EXAMPLES / f"{name}.c", tmp_path / f"librkcst_{name}.so")]
    (output,) = json.loads(ezrknn(*arguments))["outputs"]
    assert cosine(np.load(output["file"]), expected) >= model.cosine


def test_bench_prints_a_table_without_a_progress_bar_when_piped(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file receives text without control characters."""
    arguments = ["bench", str(data / "tiny_conv_int8.rknn"), "--seconds", "0.1", "--schedule", "0,1"]
    assert main([*arguments, "--simulator", "timing=fixed:1000,compute=off", "--runtime-library", "simulator"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "throughput (1/s)" in captured.out
    assert "simulated (fixed:1000); no NPU was involved" in captured.out
    assert "callback (ms)" in captured.out
    assert re.search("^schedule=0,1: (Limited by|This machine is too busy)", captured.out, re.MULTILINE)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """Bug reports need it."""
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"ezrknn {__version__}\n"


def test_simulator_prints_paths_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Command substitution needs the path and nothing else."""
    assert main(["simulator", "--library"]) == 0
    assert capsys.readouterr().out == f"{SIMULATOR_LIBRARY}\n"
    assert main(["simulator", "--include"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "rknn_abi.h").is_file()
