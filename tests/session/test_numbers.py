# SPDX-License-Identifier: Apache-2.0
"""A session's outputs against those recorded from the official simulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, make_provider_options

OPTIONS = make_provider_options(runtime_library="simulator", schedule="all")


def cosine(a: Any, b: Any) -> float:
    a, b = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("name", ["tiny_conv", "block", "residual", "vector", "mean_std", "conv_c5", "batch4"])
@pytest.mark.parametrize(("precision", "line"), [("fp16", 0.9999), ("int8", 0.999)])
def test_a_session_agrees_with_the_official_simulator(name: str, precision: str, line: float, data: Path) -> None:
    """The whole path is compared: conversion of the inputs, the device process, conversion of the outputs."""
    recording = np.load(data / f"{name}_{precision}.npz")
    with InferenceSession(data / f"{name}_{precision}.rknn", provider_options=OPTIONS) as session:
        feed = [recording[f"case0_input{i}"] for i in range(len(session.input_names))]
        for index, output in enumerate(session.run(None, feed)):
            assert cosine(output, recording[f"case0_output{index}"]) >= line


def test_the_demos_network_agrees_with_the_official_simulator(root: Path) -> None:
    """Every held-out image is compared."""
    test = np.load(root / "examples" / "digits" / "digits_test.npz")
    images = test["images"].repeat(6, axis=2).repeat(6, axis=3)  # as the example enlarges them
    with InferenceSession(root / "examples" / "digits" / "digits_i8.rknn", provider_options=OPTIONS) as session:
        scores = np.concatenate([outputs[0] for outputs in session.map(images[:, None])])
    assert cosine(scores, test["int8_logits"]) >= 0.999
    assert np.mean(scores.argmax(1) == test["labels"]) >= 0.97


@pytest.mark.parametrize("name", ["net_mbv2", "net_res18"])
def test_whole_networks_agree_with_the_official_simulator(name: str, shared: Path) -> None:
    """They are MobileNetV2 and ResNet18, in every compiled variant."""
    folder = shared / "zoo" / name
    for entry in json.loads((folder / "manifest.json").read_text()):
        variant = entry["variant"]
        options = make_provider_options(runtime_library="simulator")
        with InferenceSession(folder / f"{variant}.rknn", provider_options=options) as session:
            (output,) = session.run(None, [np.load(folder / entry["inputs"][0])])
        line = 0.9999 if variant.endswith("fp") else 0.999
        assert cosine(output, np.load(folder / f"{variant}_out_0.npy")) >= line, variant
