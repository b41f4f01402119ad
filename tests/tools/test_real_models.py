# SPDX-License-Identifier: Apache-2.0
"""Trained models: the machinery of ``make test-real``, which needs neither the compiler nor the registries here.

With ``TOOLKIT_PYTHON``, a Python with rknn-toolkit2, two models of the catalogue go all the way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from real_models import report, tasks
from real_models.catalogue import MODELS
from real_models.measuring import Case, Measured, Nearness, measure_elsewhere, nearness
from real_models.model import Package
from real_models.packages import fetch
from scoring import difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "measure_real_models.py"
TOOLKIT = os.environ.get("TOOLKIT_PYTHON", "")
SAMPLE = ("captcha_digits", "khmer_words")  # of two kinds; seconds to compile


def test_the_catalogue_has_many_models_of_many_kinds() -> None:
    """Twenty models of six kinds, from packages that are named with their versions."""
    assert len(MODELS) >= 20
    assert len({model.kind for model in MODELS}) >= 6
    assert len({model.name for model in MODELS}) == len(MODELS)
    assert all(model.package.version and "." not in model.name for model in MODELS)


def test_nothing_that_is_fetched_can_be_committed() -> None:
    """Models are others' work: where they are unpacked and compiled is ignored."""
    ignored = subprocess.run(["git", "check-ignore", "-q", "build/real/packages"], cwd=ROOT, check=False)
    assert ignored.returncode in (0, 128)  # 128: not a checkout


# The meaning of outputs


def scores(*values: float) -> NDArray[np.float32]:
    return np.array([values], np.float32)


def test_the_same_class_is_the_same_whatever_the_scores() -> None:
    """A user reads the class, not the score."""
    agree = tasks.same_class()
    assert agree([scores(0.2, 0.7, 0.1)], [scores(0.1, 0.5, 0.4)])
    assert not agree([scores(0.2, 0.7, 0.1)], [scores(0.1, 0.4, 0.5)])


def test_text_is_read_without_blanks_and_repetitions() -> None:
    """Two paths of letters through time can spell the same word."""

    def path(*letters: int) -> list[NDArray[Any]]:
        return [np.eye(4, dtype=np.float32)[list(letters)][None]]

    agree = tasks.same_text()
    assert agree(path(1, 1, 0, 2, 3), path(0, 1, 2, 2, 3))
    assert not agree(path(1, 0, 1, 2), path(1, 1, 1, 2))


def test_boxes_are_compared_in_place_and_class_not_in_order() -> None:
    """As many, each with a counterpart: a shift of a pixel is the same box, another class is not."""
    boxes = [(0.0, 0.0, 100.0, 100.0, 1.0), (200.0, 0.0, 260.0, 50.0, 0.0)]

    def agree(*found: tuple[float, ...]) -> bool:
        return tasks.same_boxes(lambda outputs: list(outputs[0]))([list(found)], [list(boxes)])  # type: ignore[list-item]

    assert agree((201.0, 0.0, 261.0, 50.0, 0.0), (1.0, 1.0, 101.0, 100.0, 1.0))
    assert not agree(boxes[0])
    assert not agree(boxes[0], (200.0, 0.0, 260.0, 50.0, 2.0))
    assert not agree(boxes[0], boxes[0])


def test_detectors_are_decoded() -> None:
    """One cell that is sure of its class becomes one box, in pixels; overlapping ones count once."""
    cells = np.zeros((1, 6, 3), np.float32)
    cells[0, :, 0] = (50, 40, 20, 10, 0.1, 0.9)
    cells[0, :, 1] = (51, 40, 20, 10, 0.1, 0.8)
    assert tasks.yolo8([cells]) == [(40.0, 35.0, 60.0, 45.0, 1.0)]
    grid = np.zeros((1, 3549, 6), np.float32)
    grid[0, 53] = (0.5, 0.5, np.log(2.0), np.log(4.0), 1.0, 0.9)  # of the finest stride: second row, second column
    ((left, top, right, bottom, kind),) = tasks.yolox([grid])
    assert (left, top, right, bottom, kind) == pytest.approx((4.0, -4.0, 20.0, 28.0, 0.0))


def test_regions_of_a_mask_become_boxes() -> None:
    """A text detector's result is the boxes around what is connected; specks are no text."""
    mask = np.zeros((1, 1, 40, 60), np.float32)
    mask[0, 0, 3:10, 5:30] = 0.9
    mask[0, 0, 20:28, 40:55] = 0.5
    mask[0, 0, 35, 2] = 0.9
    assert sorted(tasks.regions([mask])) == [(5, 3, 30, 10, 0), (40, 20, 55, 28, 0)]


# The score


def test_an_output_may_be_as_far_off_as_the_official_simulator_is_from_itself() -> None:
    """An int8 network can be chaotic; a float16 one is recorded without noise."""
    assert report.is_near(Nearness("y", 0.95, 9, noise=0.94), "int8")
    assert not report.is_near(Nearness("y", 0.95, 9, noise=0.96), "int8")
    assert report.is_near(Nearness("y", 0.9991, 2, noise=1.0), "int8")
    assert not report.is_near(Nearness("y", 0.9991, 0, noise=1.0), "fp16")


def test_what_overflows_in_one_and_not_in_the_other_is_wrong() -> None:
    """A cosine of inf is nothing; where both overflow, the rest is compared."""
    infinite = np.array([1.0, np.inf, 3.0], np.float32)
    assert difference(infinite, infinite, 0.0).cosine == 1.0
    assert difference(np.array([1.0, 7e4, 3.0]), infinite, 0.0).cosine == 0.0
    assert difference(infinite, np.array([1.0, 7e4, 3.0]), 0.0).cosine == 0.0
    assert difference(np.array([1.0, np.inf, 3.001]), infinite, 0.0).cosine == pytest.approx(1.0)


def test_zeros_have_no_angle() -> None:
    """A wake word's probability of 0 and one of the smallest float16 are the same; one of a half is not."""
    zero = np.zeros((1, 1), np.float32)
    near, far = np.full((1, 1), 2.0**-24, np.float32), np.full((1, 1), 0.5, np.float32)
    cases = [Case([near], [zero], []), Case([far], [zero], [])]
    assert [nearness("y", 0.0, [case], 0).cosine for case in cases] == [1.0, 0.0]
    assert nearness("y", 1.0, [cases[1]], 0).cosine == 1.0  # half a step


def compiled(folder: Path, data: Path, name: str, *, original: bool = True) -> None:
    """Lay a committed model out as if it had just been compiled, with noise that is the official result itself."""
    (described,) = (
        entry for entry in json.loads((data / "manifest.json").read_text())["models"] if entry["name"] == name
    )
    recording = dict(np.load(data / described["recording"]))
    recording["case0_draw0_0"] = recording["case0_output0"]
    np.savez(folder / "recorded.npz", **recording)
    entry = {
        **described,
        "name": "wake_alexa.rk3588.int8",
        "model": "wake_alexa",
        "file": str(data / described["file"]),
        "recording": "recorded.npz",
        "original": "original.onnx",
        "draws": 1,
    }
    refused = {"name": "magika.rk3588.int8", "target": "rk3588", "precision": "int8", "refused": "it was too late"}
    (folder / "manifest.json").write_text(json.dumps({"models": [entry, refused]}))
    if original:
        identity(folder / "original.onnx", described)


def identity(path: Path, described: dict[str, Any]) -> None:
    """Write a model that takes the same inputs, to be timed."""
    import onnx
    from onnx import helper

    values = [
        helper.make_tensor_value_info(value["name"], onnx.TensorProto.FLOAT, value["shape"])
        for value in described["inputs"]
    ]
    node = helper.make_node("Relu", [values[0].name], ["y"])
    output = helper.make_empty_tensor_value_info("y")
    output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    graph = helper.make_graph([node], "g", values, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


def test_a_compiled_model_is_measured_in_a_process_of_its_own(data: Path, tmp_path: Path) -> None:
    """Cosine and steps against the recording, noise, time, memory, and the same result."""
    compiled(tmp_path, data, "tiny_conv_int8")
    measured = measure_elsewhere(TOOL, tmp_path, "wake_alexa.rk3588.int8")
    assert measured.refused == ""
    (output,) = measured.outputs
    assert output.cosine > 0.999
    assert output.noise == 1.0
    assert (measured.same, measured.same_with_noise, measured.cases) == (1, 1, 1)
    assert min(measured.seconds, measured.milliseconds, measured.original) > 0
    assert measured.megabytes > 50  # a device process


def test_a_model_that_cannot_be_measured_is_refused_with_the_reason(data: Path, tmp_path: Path) -> None:
    """Whether it is refused in words or the process dies: the others are measured, and this one is named."""
    compiled(tmp_path, data, "gru_clip_fp16")
    assert "cannot execute GRU" in measure_elsewhere(TOOL, tmp_path, "wake_alexa.rk3588.int8").refused
    (tmp_path / "original.onnx").unlink()
    compiled(tmp_path, data, "tiny_conv_int8", original=False)
    assert "original.onnx" in measure_elsewhere(TOOL, tmp_path, "wake_alexa.rk3588.int8").refused


def test_the_score_counts_what_is_far_off_and_what_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that we refuse counts against us; what the compiler refuses does not, but is named."""
    compiled(tmp_path, data, "tiny_conv_int8")
    results = {
        "near": Measured("", outputs=(Nearness("y", 0.9999, 1, 0.9),), same=1, cases=1),
        "far": Measured("", outputs=(Nearness("y", 0.5, 99, 0.9),), same=0, cases=1),
        "refused": Measured("", refused="it has peepholes"),
    }
    for result, enough in (("near", True), ("far", False), ("refused", False)):
        monkeypatch.setattr(report, "measure_elsewhere", lambda *given, result=result: results[result])
        assert report.compare(MODELS, tmp_path, publish=False) is enough
    assert "magika.rk3588.int8" in capsys.readouterr().out


def test_the_table_shows_each_model_with_its_noise_and_what_was_not_compiled() -> None:
    """A row a model, a column a SoC and precision; what is too far off is set in bold."""
    first, second = MODELS[0], MODELS[1]
    entries: report.Results = {}
    for model, target, outcome in (
        (first, "rk3588", Measured("", outputs=(Nearness("y", 0.5, 9, 0.9),), same=2, cases=3)),
        (second, "rk3588", Measured("", refused="compiler: it gave up")),
        (second, "rk3576", Measured("", refused="cannot execute Split")),
    ):
        name = f"{model.name}.{target}.int8"
        entry = {"name": name, "target": target, "precision": "int8"}
        named = Measured(**{**vars(outcome), "name": name, "milliseconds": 2.0, "original": 1.0})
        entries[name] = (entry, named)
    text = report.table({model.name: model for model in MODELS}, entries)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert "**0.5000 (0.9000)**, 2/3" in rows[first.name]
    assert "not compiled" in rows[second.name]
    assert "refused" in rows[second.name]
    assert f"* `{second.name}` (RK3588 int8): it gave up" in text


def test_a_package_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """A second run needs no registry; a registry that has nothing is an error that says so."""
    package = Package("pypi", "there", "1.0")
    (tmp_path / package.folder).mkdir()
    assert fetch([package], tmp_path).path(package, "x").parent == tmp_path / package.folder


@pytest.mark.skipif(not TOOLKIT, reason="TOOLKIT_PYTHON names no Python with rknn-toolkit2")
@pytest.mark.timeout(600)
def test_a_sample_of_the_trained_models_is_as_the_official_simulator_has_it() -> None:
    """Fetched, compiled and compared; a second run compiles nothing."""
    folder = ROOT / "build" / "real"
    make = [TOOLKIT, str(TOOL), "make", str(folder), "--variants", "rk3588:int8", "--only", *SAMPLE]
    subprocess.run(make, check=True, capture_output=True, timeout=500)
    again = subprocess.run(make, check=True, capture_output=True, text=True, timeout=100)
    assert "compiled" not in again.stderr
    compare = [sys.executable, str(TOOL), "compare", str(folder), "--only", *SAMPLE]
    done = subprocess.run(compare, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
