# SPDX-License-Identifier: Apache-2.0
"""The compiler, where it is installed, and a stand-in that says what a test wants it to say."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from ez_rknn_async.converting import toolkit
from ez_rknn_async.errors import RknnError


@pytest.fixture(scope="session")
def toolkit_python() -> str:
    """A Python with rknn-toolkit2; the test is skipped where there is none."""
    try:
        return str(toolkit.find().python)
    except RknnError as error:
        pytest.skip(f"{error}")


@pytest.fixture
def all_conversions(toolkit_python: str) -> str:
    """The compiler, for tests that would take too long in the whole suite."""
    if os.environ.get("EZ_RKNN_TEST_CONVERT") != "all":
        pytest.skip("builds for a minute or more: make test-convert runs it")
    return toolkit_python


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str], str]:
    """Make a program that takes the compiler's place: Python code that is given ``say``, ``request`` and ``log``."""

    def make(code: str) -> str:
        program = tmp_path / "stand_in.py"
        program.write_text(
            "import json, os, sys, signal\n"
            "log = sys.argv[-1]\n"
            "def say(**message): print(json.dumps(message), flush=True)\n"
            "request = json.loads(sys.stdin.readline())\n" + code
        )
        launcher = tmp_path / "python"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        return str(launcher)

    return make
