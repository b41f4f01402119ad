# SPDX-License-Identifier: Apache-2.0
"""The tower of rooms: the contracts of ``[tool.importlinter]`` hold, and each of them can fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter needs Python 3.11")

ROOT = Path(__file__).resolve().parent.parent
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

BREACHES = {
    "upward": ("_runtime/locate.py", "from .._tensors import shapes", "A room uses only the rooms below it"),
    "upward in a function": (
        "_tensors/shapes.py",
        "def f() -> None:\n    from .._running import batch",
        "A room uses only the rooms below it",
    ),
    "upward for a type": (
        "_options/plan.py",
        "if TYPE_CHECKING:\n    from ..session import InferenceSession",
        "A room uses only the rooms below it",
    ),
    "outside the rooms": ("helpers.py", "", "A room uses only the rooms below it"),
    "flat names": ("_observing/stats.py", "from .. import OrtValue", "Only the command uses the package's flat names"),
    "the simulator": (
        "_running/opening.py",
        "from ..simulator.wire import RunCommand",
        "Only the command and conversions use the simulator",
    ),
    "operators": ("model/format/graph.py", "from ..operators import dpu", "The file format knows nothing of operators"),
    "native code": ("model/format/text.py", "import cffi", "A model file is read without native code"),
    "C": (
        "_options/soc.py",
        "from .._runtime.abi import ffi",
        "Options and tensors touch neither C nor the engine themselves",
    ),
    "a circle": ("_messages/wording.py", "from . import shape_advice", "No circles in any room"),
}


def broken(source: Path) -> list[str]:
    """Return the contracts that the package in ``source`` breaks."""
    environment = {**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200"}
    command = [sys.executable, "-c", LINT, "--no-cache", str(ROOT / "pyproject.toml")]
    process = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Contracts: " in process.stdout, process.stdout[-300:]  # such as an exception that is no longer needed
    contracts = re.findall(r"^(.*) BROKEN", process.stdout, re.MULTILINE)
    assert process.returncode == bool(contracts)
    return contracts


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that a test may break."""
    shutil.copytree(ROOT / "src/ez_rknn_async", tmp_path / "ez_rknn_async", ignore=lambda *_: {"_native"})
    return tmp_path


def test_every_room_uses_only_rooms_below_it() -> None:
    """``make lint`` does the same check."""
    assert broken(ROOT / "src") == []


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_breaks_its_contract(copy: Path, breach: str) -> None:
    """A contract that cannot fail would protect nothing."""
    module, line, contract = BREACHES[breach]
    with (copy / "ez_rknn_async" / module).open("a") as file:
        file.write(f"\n{line}\n")
    assert contract in broken(copy)
