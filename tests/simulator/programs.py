# SPDX-License-Identifier: Apache-2.0
"""Separate programs that open a session, and the kernel's view of the processes that they start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime

import ez_rknn_async

TIMEOUT = 60  # seconds
MODEL = Path(__file__).resolve().parent.parent / "data" / "tiny_conv_int8.rknn"
PACKAGE = Path(ez_rknn_async.__file__).parent
# Where this Python has the package and its dependencies.
FOLDERS = list(
    dict.fromkeys(str(Path(str(m.__file__)).parent.parent) for m in (ez_rknn_async, numpy, onnx, onnxruntime))
)
VARIABLES = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EZ_RKNN"))}

# `session` is open and has computed; `device` and `keeper` are process ids.
OPEN = f"""
import os, sys
import numpy as np
from ez_rknn_async import InferenceSession
from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY
options = [{{"runtime_library": "simulator"}}]
session = InferenceSession({os.fspath(MODEL)!r}, provider_options=options)
feed = {{i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}}
session.run(None, feed)
device = load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_device_pid")()
keeper = int(open(f"/proc/{{device}}/stat").read().rpartition(")")[2].split()[1])
"""
# In place of the last lines of OPEN, if the session is to be refused.
REFUSED = OPEN.partition("feed =")[0]


def run(
    program: str, *flags: str, python: str = sys.executable, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; fails if it does."""
    done = attempt(program, *flags, python=python, env=env, **options)
    assert done.returncode == 0, done.stderr
    return done


def attempt(
    program: str, *flags: str, python: str = sys.executable, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with any exit status."""
    return subprocess.run(
        [python, *flags, "-c", program],
        env={**VARIABLES, **(env or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        **options,
    )


def start(program: str, *flags: str) -> subprocess.Popen[str]:
    """Start a program, with pipes to its standard input and output."""
    command = [sys.executable, *flags, "-c", program]
    return subprocess.Popen(command, env=VARIABLES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def is_gone(pid: int) -> bool:
    """True if a process has ended, and is not a zombie either."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def bare_python(folder: Path) -> str:
    """Create an environment's interpreter, which has no packages at all."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=TIMEOUT)
    return str(folder / "bin" / "python")
