# SPDX-License-Identifier: Apache-2.0
"""Networks of programs, compiled by Rockchip's toolkit for the shapes that were recorded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from ..conftest import ROOT
from .environments import BUILD, run

OCR = ROOT / "examples" / "ocr"


def toolkit() -> str:
    """Return the Python that has ``rknn-toolkit2``; skip the test where none is named."""
    python = os.environ.get("TOOLKIT_PYTHON")
    if not python:
        pytest.skip("TOOLKIT_PYTHON names no Python with rknn-toolkit2: make test-clients TOOLKIT_PYTHON=...")
    # Programs run elsewhere than make does.
    return str(ROOT / python) if os.sep in python else python


def compiled(recording: Path, *options: str) -> Path:
    """Return the ``.rknn`` of one network's recording; compile it unless that was done before.

    Raises:
        AssertionError: the compiler refuses it.
    """
    output = BUILD / "networks" / f"{recording.name}.{_key(recording, options)}.rknn"
    if not output.exists():
        python = toolkit()
        run("nice", "-n", "5", python, OCR / "compile.py", recording, output, *options)
    return output


def _key(recording: Path, options: tuple[str, ...]) -> str:
    """What a compiled file depends on: the network, its inputs, the options, the compiler's caller."""
    digest = hashlib.sha256(" ".join(options).encode())
    for path in (recording / "model.onnx", OCR / "compile.py"):
        digest.update(path.read_bytes())
    for path in sorted(recording.glob("*.npz")):
        with np.load(path) as arrays:  # what it answers may differ from one machine to the next
            for name in filter(lambda name: name.startswith("in:"), arrays.files):
                digest.update(name.encode() + str(arrays[name].shape).encode() + arrays[name].tobytes())
    return digest.hexdigest()[:12]
