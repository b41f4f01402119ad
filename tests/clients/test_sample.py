# SPDX-License-Identifier: Apache-2.0
"""The way of every client, with a program of our own: recorded, compiled, and run on the NPU unchanged."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from .environments import PATIENCE, run
from .networks import OCR, toolkit

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

PROGRAM = """
import json, sys
import numpy as np
import onnxruntime

images = np.random.default_rng(0).standard_normal((5, 3, 16, 16)).astype(np.float32)
session = onnxruntime.InferenceSession("conv.onnx", providers=["CPUExecutionProvider"])
by_bytes = onnxruntime.InferenceSession(open("conv.onnx", "rb").read())
found = [each.run(None, {"x": batch})[0] for each in (session, by_bytes) for batch in (images, images[:2].tolist())]
print(json.dumps([answer.tolist() for answer in found]), *sys.argv[1:])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network for batches of any size, and a program that feeds it arrays and lists, by path and by content."""
    value, helper = onnx.helper.make_tensor_value_info, onnx.helper
    weights = np.random.default_rng(1).standard_normal((8, 3, 3, 3)).astype(np.float32) / 5
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node], "conv", [value("x", 1, ["n", 3, 16, 16])], [value("y", 1, ["n", 8, 16, 16])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(tmp_path / "conv.onnx"))
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def record(folder: Path) -> tuple[Any, list[Path]]:
    ended = run(sys.executable, OCR / "record.py", folder / "recorded", folder / "program.py", "--flag", cwd=folder)
    printed, flag = ended.stdout.rsplit(" ", 1)
    assert flag == "--flag\n"
    return json.loads(printed), sorted((folder / "recorded").iterdir())


def test_everything_that_a_program_feeds_is_recorded(folder: Path) -> None:
    """In order, as arrays of the network's types, beside a copy of the network."""
    answers, recordings = record(folder)
    by_path, by_content = sorted(recordings, key=lambda recording: recording.name != "conv")
    assert by_path.name == "conv"
    assert len(by_content.name) == 12
    for recording, expected in ((by_path, answers[:2]), (by_content, answers[2:])):
        assert (recording / "model.onnx").read_bytes() == (folder / "conv.onnx").read_bytes()
        for file, answer, count in zip(sorted(recording.glob("*.npz")), expected, (5, 2)):
            with np.load(file) as arrays:
                assert (arrays["in:x"].shape, arrays["in:x"].dtype) == ((count, 3, 16, 16), np.float32)
                np.testing.assert_allclose(arrays["out:y"], answer, rtol=1e-6)


@pytest.fixture
def compiling() -> ModuleType:
    """The module of ``compile.py``."""
    spec = importlib.util.spec_from_file_location("compile_recorded", OCR / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_samples_of_a_batch_are_taken_apart(compiling: Any) -> None:
    """And different shapes become one each, the largest first."""
    feeds = [{"x": np.zeros((2, 3))}, {"x": np.zeros((1, 3))}, {"x": np.zeros((2, 3))}]
    assert compiling.shapes_of(feeds) == [[[2, 3]], [[1, 3]]]
    samples = [sample for feed in feeds for sample in compiling.samples_of(feed)]
    assert compiling.shapes_of(samples) == [[[1, 3]]]
    assert len(samples) == 5


def test_calibration_is_what_was_recorded_of_the_largest_shape(compiling: Any, tmp_path: Path) -> None:
    """A list of files, one line for each sample."""
    feeds: list[dict[str, Any]] = [{"a": np.full((n, 2), n), "b": np.zeros(n)} for n in (1, 4, 4)]
    lines = Path(compiling.dataset(feeds, tmp_path)).read_text().splitlines()
    assert len(lines) == 2
    assert [np.load(file).shape for file in lines[0].split()] == [(4, 2), (4,)]


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("options", [(), ("--int8",)], ids=["float16", "int8"])
def test_a_recorded_program_runs_on_the_npu(folder: Path, options: tuple[str, ...]) -> None:
    """Unchanged, each sample of its batches on a core, whether it names the network or hands it over."""
    python = toolkit()
    expected, recordings = record(folder)
    compiled = folder / "conv.rknn"
    run("nice", "-n", "5", python, OCR / "compile.py", recordings[0], compiled, "--one-sample", *options)
    models = ":".join(f"{recording.name}.onnx={compiled}" for recording in recordings)
    environment = {"EZ_RKNN_ONNXRUNTIME_MODELS": models, "EZ_RKNN_ONNXRUNTIME_BATCHES": "1"}
    command = (sys.executable, "-m", "ez_rknn_async.compat", "onnxruntime", folder / "program.py", "--flag")
    ended = run(*command, environment=environment, cwd=folder)
    assert ended.stderr.count("runs on the NPU") == 2
    for answer, wanted in zip(json.loads(ended.stdout.rsplit(" ", 1)[0]), expected):
        np.testing.assert_allclose(answer, wanted, atol=0.2 if options else 0.01)


def test_what_cannot_be_recorded_is_told(folder: Path) -> None:
    """As by any command."""
    for arguments in ([], [folder / "recorded"], [folder / "recorded", "no-such-program"]):
        with pytest.raises(AssertionError, match=r"usage: record\.py|no file 'no-such-program'"):
            run(sys.executable, OCR / "record.py", *arguments, cwd=folder)
