# SPDX-License-Identifier: Apache-2.0
"""A Python program that knows nothing of this project loads the simulated library by its path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

PROGRAM = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
context = ctypes.c_uint64()
code = library.rknn_init(ctypes.byref(context), sys.argv[2].encode(), 0, 0, None)
library.ez_rknn_last_error.restype = ctypes.c_char_p
sys.exit(code and library.ez_rknn_last_error().decode())
"""


def test_a_python_host_computes_in_its_own_interpreter(data: Path) -> None:
    """The program's interpreter has the package, so no variable and no python3 on PATH has to point to one."""
    environment = {name: value for name, value in os.environ.items() if name not in ("EZ_RKNN_PYTHON", "PATH")}
    environment["PATH"] = "/nowhere"
    model = data / "tiny_conv_int8.rknn"
    command = [sys.executable, "-c", PROGRAM, str(SIMULATOR_LIBRARY), str(model)]
    subprocess.run(command, env=environment, check=True, timeout=60)
