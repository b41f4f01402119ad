# SPDX-License-Identifier: Apache-2.0
"""Verdicts of mypy and pyright on programs that use the installed package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ez_rknn_async

HERE = Path(__file__).parent
Check = Callable[[Path], set[int]]


def run(folder: Path, *command: str) -> str:
    """Run a module of this Python in an empty folder, where it finds no configuration of ours."""
    outcome = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert outcome.returncode in (0, 1), outcome.stdout + outcome.stderr
    return outcome.stdout


def mypy(program: Path) -> set[int]:
    """Return the lines that ``mypy --strict`` refuses."""
    said = run(program.parent, "mypy", "--strict", "--config-file=", "--no-error-summary", program.name)
    found = [re.match(rf"{program.name}:(\d+): error: ", line) for line in said.splitlines() if ": note: " not in line]
    assert None not in found, said  # an error elsewhere
    return {int(line[1]) for line in found if line is not None}


def pyright(program: Path) -> set[int]:
    """Return the lines that pyright refuses."""
    said = json.loads(run(program.parent, "pyright", "--pythonpath", sys.executable, "--outputjson", program.name))
    assert said["summary"]["filesAnalyzed"] == 1
    return {each["range"]["start"]["line"] + 1 for each in said["generalDiagnostics"] if each["severity"] == "error"}


@pytest.fixture(params=[mypy, pyright], ids=lambda checker: checker.__name__)
def check(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Return the lines of a program that a type checker refuses."""
    pytest.importorskip(request.param.__name__)
    monkeypatch.setenv("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")  # it would ask the network for a newer one
    checker: Check = request.param
    return checker


def test_the_package_is_marked_as_typed() -> None:
    """Without this file checkers take all of it for Any (PEP 561)."""
    assert (Path(ez_rknn_async.__file__).parent / "py.typed").is_file()


@pytest.mark.timeout(300)
def test_accepts_a_correct_program(check: Check, tmp_path: Path) -> None:
    """Every check is on, also those for unknown types."""
    assert check(Path(shutil.copy(HERE / "program.py", tmp_path))) == set()


@pytest.mark.timeout(300)
def test_refuses_wrong_uses(check: Check, tmp_path: Path) -> None:
    """Checkers refuse each marked line, and nothing else."""
    program = Path(shutil.copy(HERE / "mistakes.py", tmp_path))
    marks = {number: line.partition("  # ")[2] for number, line in enumerate(program.read_text().splitlines(), 1)}
    refused = {number for number, mark in marks.items() if mark == "refused"}
    later = {number for number, mark in marks.items() if mark == "later"}
    assert len(refused) > 20
    assert check(program) - later == refused


def test_the_correct_program_runs(data: Path, tmp_path: Path) -> None:
    """Type checkers cannot tell if the annotations are true."""
    model = shutil.copy(data / "tiny_conv_int8.rknn", tmp_path)
    command = [sys.executable, str(HERE / "program.py"), model]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
