"""A program in C on the simulated NPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async.runtime.locate import SIMULATOR_LIBRARY

COMPILER = shutil.which("cc") or shutil.which("gcc")
SQUARE = 6  # the network sees each pixel as a square of so many


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler on this machine")
def test_a_ten_line_c_program_classifies_digits(root: Path, tmp_path: Path) -> None:
    """The library needs no Python host: any program that links it runs real models."""
    program = tmp_path / "classify"
    source = root / "examples" / "c" / "classify.c"
    include = root / "native" / "include"
    assert COMPILER is not None
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [COMPILER, *warnings, source, "-I", include, "-o", program, SIMULATOR_LIBRARY], check=True, timeout=60
    )
    digits = root / "examples" / "digits"
    test = np.load(digits / "digits_test.npz")
    environment = {**os.environ, "EZ_RKNN_PYTHON": sys.executable}
    for image, logits in zip(test["images"][:3], test["int8_logits"]):
        pixels = image[0].repeat(SQUARE, axis=0).repeat(SQUARE, axis=1)
        command = [program, digits / "digits_i8.rknn"]
        answer = subprocess.run(
            command, input=pixels.tobytes(), env=environment, stdout=subprocess.PIPE, check=True, timeout=60
        )
        assert int(answer.stdout) == int(np.argmax(logits))
