# SPDX-License-Identifier: Apache-2.0
"""rk-transformers, through the stand-in for RKNNLite, with a small BERT of random weights."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from .clients import PROGRAMS
from .environments import BUILD, PATIENCE, TORCH, python_with, run
from .networks import compiled, toolkit
from .test_onnxruntime_programs import recorded

pytestmark = pytest.mark.timeout(4 * PATIENCE)


def test_classifies_as_in_onnxruntime() -> None:
    """Unchanged; it exits where the metadata of rknn-toolkit-lite2 are not found."""
    toolkit()
    python = python_with("rk-transformers", TORCH, "rk-transformers==0.3.1")
    folder = BUILD / "bert"
    folder.mkdir(exist_ok=True)
    if not (folder / "bert.onnx").exists():
        run(python, PROGRAMS / "export_bert.py", folder)
    printed, (recording,) = recorded(python, "bert", PROGRAMS / "run_bert.py", folder)
    shutil.copy(compiled(recording), folder / "model.rknn")
    program = PROGRAMS / "run_bert.py"
    ended = run(python, "-m", "ez_rknn_async.compat", "rknnlite", program, folder, "rk-transformers")
    expected, given = (np.array(json.loads(text.splitlines()[-1])) for text in (printed, ended.stdout))
    assert expected.shape == (3, 1, 5)
    assert np.ptp(expected, axis=0).min() > 0.1  # the answer depends on the sentence
    np.testing.assert_allclose(given, expected, atol=0.02)
