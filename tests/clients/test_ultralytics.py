# SPDX-License-Identifier: Apache-2.0
"""Ultralytics, with a network that it has exported itself: its ONNX and its RKNN backend."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ez_rknn_async import InferenceSession, make_provider_options

from .clients import PROGRAMS
from .environments import BUILD, PATIENCE, TORCH, python_with, run
from .networks import compiled, toolkit
from .test_onnxruntime_programs import placed, recorded, run_on_npu

pytestmark = pytest.mark.timeout(6 * PATIENCE)

# What run_yolo.py makes of its own.
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224)).astype(np.float32) / 255
RUN = PROGRAMS / "run_yolo.py"


class Exported:
    """The network, its recording, and what it gives in ONNX Runtime."""

    def __init__(self) -> None:
        toolkit()
        self.python = python_with("ultralytics", TORCH, "torchvision==0.28.0", "ultralytics==8.4.190")
        self.folder = BUILD / "yolo"
        self.folder.mkdir(exist_ok=True)
        self.onnx = self.folder / "yolov8n-cls.onnx"
        if not self.onnx.exists():
            run(self.python, PROGRAMS / "export_yolo.py", self.folder)
        _, (self.recording,) = recorded(self.python, "yolo", RUN, self.onnx, self.folder / "expected.npz")
        self.expected = self.saved("expected")

    def saved(self, name: str) -> NDArray[np.float32]:
        with np.load(self.folder / f"{name}.npz") as arrays:
            return np.asarray(arrays["arr_0"])


@pytest.fixture(scope="module")
def exported() -> Exported:
    return Exported()


def assert_near(given: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """As far as float16 goes; and not a constant."""
    assert given.shape == expected.shape == (1, 1000)
    assert np.ptp(expected) > 0.2 * expected.mean()
    np.testing.assert_allclose(given, expected, rtol=5e-3)
    assert given.argmax() == expected.argmax()


def test_the_onnx_backend_runs_on_the_npu(exported: Exported) -> None:
    """Through the stand-in: as in ONNX Runtime, and exactly as with our own session."""
    network = compiled(exported.recording)
    ended = run_on_npu(exported.python, {"yolov8n-cls": network}, RUN, exported.onnx, exported.folder / "onnx.npz")
    assert placed(ended, "NPU") == {"yolov8n-cls"}
    assert_near(exported.saved("onnx"), exported.expected)
    options = make_provider_options(runtime_library="simulator", schedule=[0])
    with InferenceSession(network, provider_options=options) as session:
        np.testing.assert_array_equal(exported.saved("onnx"), session.run(None, [IMAGE])[0])


def test_the_rknn_backend_runs_on_the_npu(exported: Exported) -> None:
    """Through the stand-in for RKNNLite; of ultralytics only the question for a Rockchip board is patched."""
    network = compiled(exported.recording, "--std", "255")
    folder = exported.folder / "yolov8n-cls_rknn_model"
    folder.mkdir(exist_ok=True)
    link = folder / "yolov8n-cls-rk3588.rknn"
    link.unlink(missing_ok=True)
    os.link(network, link)
    metadata = {
        "stride": 32,
        "task": "classify",
        "imgsz": [224, 224],
        "names": dict.fromkeys(range(1000), "thing"),
        "batch": 1,
    }
    (folder / "metadata.yaml").write_text(json.dumps(metadata))
    program = [RUN, folder, exported.folder / "rknn.npz"]
    run(exported.python, "-m", "ez_rknn_async.compat", "rknnlite", *map(Path, program))
    assert_near(exported.saved("rknn"), exported.expected)
