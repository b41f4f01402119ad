# SPDX-License-Identifier: Apache-2.0
"""A program in C on the simulated NPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

COMPILER = shutil.which("cc") or shutil.which("gcc")
SQUARE = 6  # the network sees each pixel as a square of this size


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler on this machine")
def test_a_c_program_classifies_digits(root: Path, tmp_path: Path) -> None:
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


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler on this machine")
def test_refuses_a_program_for_the_matmul_api_by_name(tmp_path: Path) -> None:
    """It fails at link time or, if it was linked to a library with the API, at start; not later."""
    assert COMPILER is not None
    source, vendors, program = tmp_path / "matmul.c", tmp_path / "librknnrt.so", tmp_path / "matmul"
    source.write_text("int rknn_matmul_create(void); int main(void) { return rknn_matmul_create(); }")
    link: list[str | Path] = [COMPILER, source, "-o", program]
    linked = subprocess.run([*link, SIMULATOR_LIBRARY], stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert linked.returncode != 0
    assert "rknn_matmul_create" in linked.stderr
    (tmp_path / "vendors.c").write_text("int rknn_matmul_create(void) { return 0; }")
    library: list[str | Path] = [
        COMPILER,
        tmp_path / "vendors.c",
        "-shared",
        "-fPIC",
        "-Wl,-soname,librknnrt.so",
        "-o",
        vendors,
    ]
    subprocess.run(library, check=True, timeout=60)
    subprocess.run([*link, vendors, "-Wl,-z,now"], check=True, timeout=60)
    for folder, refused in ((tmp_path, False), (SIMULATOR_LIBRARY.parent, True)):
        environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
        started = subprocess.run(program, env=environment, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        assert (started.returncode != 0) == refused
        assert ("undefined symbol: rknn_matmul_create" in started.stderr) == refused
