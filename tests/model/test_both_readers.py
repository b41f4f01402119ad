# SPDX-License-Identifier: Apache-2.0
"""The C++ reader of the simulated NPU and this package's parser accept the same files.

Thousands of variants of ordinary models go through both in ``tests/tools/test_file_fuzzing.py``; these tests cover the
rest.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from file_fuzzing import campaign

from . import amplifiers

if TYPE_CHECKING:
    from pathlib import Path

_VARIANTS = 400

# In a separate process: the C++ reader may take 5 s and 500 MB on top of the interpreter's memory.
_OPEN_NATIVELY = """
import resource, sys
from ez_rknn_async.errors import RknnModelError
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.locate import SIMULATOR, locate
from tests.model.amplifiers import {amplifier}
content = {amplifier}()
library = locate(SIMULATOR).library
with open("/proc/self/statm", encoding="ascii") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 500 * 10**6, resource.RLIM_INFINITY))
resource.setrlimit(resource.RLIMIT_CPU, (int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 6, 60))
with library.simulator_settings("compute=off"):
    try:
        Context.open(library, content).destroy()
    except RknnModelError as error:
        assert "MODEL_INVALID" in str(error), error
"""


@pytest.mark.timeout(600)
def test_both_readers_agree_on_models_with_custom_operators(data: Path, tmp_path: Path) -> None:
    """The host converts their operands too, and both readers parse their attributes from BSON."""
    bases = [data / "tiny_conv_int8.rknn", *sorted(data.glob("custom_*.rknn"))]  # the first one is also run
    report = campaign.run(bases, _VARIANTS, seed=1, sessions=0, folder=tmp_path)
    assert [(fault.order.seed, fault.outcome, fault.text) for fault in report.faults] == []
    assert min(report.counts.values()) > _VARIANTS / 20


@pytest.mark.parametrize("amplifier", amplifiers.AMPLIFIERS, ids=lambda amplifier: amplifier.__name__)
def test_the_native_reader_bounds_time_and_memory(root: Path, amplifier: Any) -> None:
    """Small files that describe something enormous are refused or opened within 5 s and 500 MB in C++ as well."""
    script = _OPEN_NATIVELY.format(amplifier=amplifier.__name__)
    process = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
